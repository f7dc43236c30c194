/** Holds the guard's tables while the daemon's networks are open: see firewall/guard.ts. */
import { messageOf } from '@netyard/core';
import type { HeldTables } from '@netyard/kernel';
import { bridgeOf, type Context } from '../context.ts';
import { planGuard } from '../firewall/guard.ts';
import { routesOnlyContainers } from '../plan/bridge-network.ts';

export class Guard {
  readonly #context: Context;
  #held: HeldTables | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Our own tables are there by now: without them the guard lets nothing new pass. */
  async start(): Promise<void> {
    const { kernel, networks, facts, logger } = this.#context;
    const bridges = [...networks.keys()].flatMap((id) => bridgeOf(this.#context, id) ?? []);
    const tables = planGuard(bridges, { routesOnlyOwn: routesOnlyContainers(facts) });
    if (this.#held || tables.length === 0) return;
    if (!facts.guarded) {
      logger.info('the kernel cannot keep a table from being flushed: connections break when others flush the rules');
      return;
    }
    try {
      this.#held = await kernel.holdTables(tables);
    } catch (error) {
      logger.warn('the tables that guard the rules could not be made', { error: messageOf(error) });
    }
  }

  close(): void {
    this.#held?.close();
    this.#held = undefined;
  }
}
