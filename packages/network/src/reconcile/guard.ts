/** Holds the guard tables while the daemon runs: see firewall/guard.ts. */

import { type Logger, messageOf } from '@netyard/core';
import type { HeldTables, Kernel } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { planGuard } from '../firewall/guard.ts';
import { bridgeOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { routesOnlyContainers } from '../plan/host.ts';

/** Dependencies of the functions in this file. */
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

  /** Called after Netyard's own tables are applied: without them the guard accepts no new connections. */
  async start(): Promise<void> {
    const { kernel, networks, facts, logger } = this.#context;
    const bridges = [...networks.keys()].flatMap((id) => bridgeOf(this.#context, id) ?? []);
    const tables = planGuard(bridges, { routesOnlyOwn: routesOnlyContainers(facts) });
    if (this.#held || tables.length === 0) return;
    if (!facts.guarded) {
      logger.info(
        'this kernel cannot protect tables from a ruleset flush: connections break when the rules are flushed',
      );
      return;
    }
    try {
      this.#held = await kernel.holdTables(tables);
    } catch (error) {
      logger.warn('the guard tables could not be created', { error: messageOf(error) });
    }
  }

  close(): void {
    this.#held?.close();
    this.#held = undefined;
  }
}
