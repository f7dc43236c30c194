/** Holds the guard tables while the daemon runs: see firewall/guard.ts. */

import { type Logger, messageOf } from '@netyard/core';
import type { HeldTables, Kernel, NftTableObject } from '@netyard/kernel';
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
    const { kernel, facts, logger } = this.#context;
    const tables = this.#plan();
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

  /** Called when a network was created or removed. */
  async follow(): Promise<void> {
    try {
      await this.#held?.replace(this.#plan());
    } catch (error) {
      this.#context.logger.error('the guard tables could not be changed', { error: messageOf(error) });
    }
  }

  #plan(): NftTableObject[] {
    const { networks, facts } = this.#context;
    const bridges = [...networks.keys()].flatMap((id) => bridgeOf(this.#context, id) ?? []);
    return planGuard(bridges, { routesOnlyOwn: routesOnlyContainers(facts) });
  }

  close(): void {
    this.#held?.close();
    this.#held = undefined;
  }
}
