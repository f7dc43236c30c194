/** Holds the guard's tables while the daemon's networks are open: see firewall/guard.ts. */

import type { Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { HeldTables, Kernel } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { planGuard } from '../firewall/guard.ts';
import { bridgeOf } from '../lookup.ts';
import type { HostFacts } from '../plan/bridge-network.ts';
import { routesOnlyContainers } from '../plan/bridge-network.ts';

/** What the functions of this file work on. */
export interface GuardDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  mtuLimit: number | undefined;
  facts: HostFacts;
}

export class Guard {
  readonly #context: GuardDependencies;
  #held: HeldTables | undefined;

  constructor(context: GuardDependencies) {
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
