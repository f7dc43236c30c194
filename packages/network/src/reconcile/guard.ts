/** Holds the guard tables while the daemon runs: see firewall/guard.ts. */

import { type Logger, messageOf } from '@netyard/core';
import type { HeldTables, Kernel, NftElementObject, NftTableObject } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { planGuard, planGuardElements } from '../firewall/guard.ts';
import { bridgeOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { routesOnlyContainers, usesIpv6 } from '../plan/host.ts';

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
  /** The held tables, without elements, and their elements by network. */
  #tables = '';
  #elements = new Map<string, readonly NftElementObject[]>();

  constructor(context: GuardDependencies) {
    this.#context = context;
  }

  /** Called after Netyard's own tables are applied: without them the guard accepts no new connections. */
  async start(): Promise<void> {
    const { kernel, facts, logger } = this.#context;
    const elements = this.#updated();
    if (this.#held || elements.size === 0) return;
    if (!facts.guarded) {
      logger.info(
        'this kernel cannot protect tables from a ruleset flush: connections break when the rules are flushed',
      );
      return;
    }
    try {
      const tables = this.#plan(elements);
      this.#held = await kernel.holdTables(tables, [...elements.values()].flat());
      this.#tables = JSON.stringify(tables);
      this.#elements = elements;
    } catch (error) {
      logger.warn('the guard tables could not be created', { error: messageOf(error) });
    }
  }

  /** Called when a network was created or removed. The cost does not depend on the other networks. */
  async follow(): Promise<void> {
    if (!this.#held) return;
    const elements = this.#updated();
    const tables = this.#plan(elements);
    try {
      if (JSON.stringify(tables) !== this.#tables) await this.#held.replace(tables, [...elements.values()].flat());
      else await this.#held.change(without(elements, this.#elements), without(this.#elements, elements));
      this.#tables = JSON.stringify(tables);
      this.#elements = elements;
    } catch (error) {
      this.#context.logger.error('the guard tables could not be changed', { error: messageOf(error) });
    }
  }

  /** The elements of all networks; those of known networks, whose records do not change, are not planned again. */
  #updated(): Map<string, readonly NftElementObject[]> {
    const elements = new Map<string, readonly NftElementObject[]>();
    for (const id of this.#context.networks.keys()) {
      const known = this.#elements.get(id);
      const bridge = known ? undefined : bridgeOf(this.#context, id);
      const own = known ?? (bridge && planGuardElements(bridge));
      if (own) elements.set(id, own);
    }
    return elements;
  }

  #plan(elements: ReadonlyMap<string, readonly NftElementObject[]>): NftTableObject[] {
    const isolatesAll = ![...elements.values()].some((own) => own.some(({ set }) => set === 'icc_bridges'));
    const { facts } = this.#context;
    const ipv6 = usesIpv6(facts) ? { routesOnlyOwn: routesOnlyContainers(facts, 'v6') } : undefined;
    return planGuard({ routesOnlyOwn: routesOnlyContainers(facts, 'v4'), isolatesAll, ipv6 });
  }

  close(): void {
    this.#held?.close();
    this.#held = undefined;
  }
}

/** The elements of networks that only the first map has. */
const without = (
  all: ReadonlyMap<string, readonly NftElementObject[]>,
  others: ReadonlyMap<string, readonly NftElementObject[]>,
): NftElementObject[] => [...all].flatMap(([id, own]) => (others.has(id) ? [] : own));
