/**
 * The subnets of all networks, and the choice of the next automatic one: the lowest free block of the first pool that has
 * one, as in Docker. The cost does not depend on the number of networks. State in memory only.
 */
import { lastOf, NetyardError, networkOf, type Prefix, PrefixIndex, parsePrefix, prefixSize } from '@netyard/core';
import type { Family, SubnetPool } from '../contract.ts';
import { type AddressRange, type FindBlock, FreeSpace } from './free-space.ts';

interface OpenPool {
  prefix: Prefix;
  size: number;
  space: FreeSpace;
}

export class SubnetSpace {
  readonly #taken = new PrefixIndex<string>();
  readonly #pools: OpenPool[];

  constructor(pools: readonly SubnetPool[]) {
    this.#pools = pools.map(({ base, size }) => {
      const prefix = parsePrefix(base);
      return { prefix, size, space: new FreeSpace(rangeOf(prefix)) };
    });
  }

  /** The network whose subnet overlaps with this one. */
  overlapping(subnet: string): string | undefined {
    return this.#taken.overlapping(parsePrefix(subnet))?.value;
  }

  /** False for a subnet that overlaps with another network's: it is not recorded. */
  take(subnet: string, networkId: string): boolean {
    const prefix = networkOf(parsePrefix(subnet));
    if (this.#taken.overlapping(prefix)) return false;
    this.#taken.add(prefix, networkId);
    for (const { space } of this.#poolsOf(prefix)) space.take(rangeOf(prefix));
    return true;
  }

  /** Does nothing unless this network has the subnet. */
  free(subnet: string, networkId: string): void {
    const prefix = networkOf(parsePrefix(subnet));
    if (this.#taken.find(prefix)?.value !== networkId || !this.#taken.delete(prefix)) return;
    for (const { space } of this.#poolsOf(prefix)) space.give(rangeOf(prefix));
  }

  /**
   * The next automatic subnet; changes nothing. Throws `invalid` when no pool has one.
   * @param size prefix length; default: each pool's own
   * @param findBlock addresses that other programs or other hosts use
   */
  next(version: Family, findBlock: FindBlock, size?: number): Prefix {
    for (const pool of this.#poolsOf({ family: version === 'v4' ? 4 : 6 })) {
      const length = size ?? pool.size;
      if (length < pool.prefix.length) continue;
      const { family } = pool.prefix;
      const first = pool.space.find(prefixSize({ family, value: 0n, length }), findBlock);
      if (first !== undefined) return { family, value: first, length };
    }
    throw new NetyardError('invalid', 'all predefined address pools have been fully subnetted', {
      hint: 'give a free subnet with --subnet, or more pools to the daemon with --default-address-pool',
    });
  }

  #poolsOf({ family }: Pick<Prefix, 'family'>): OpenPool[] {
    return this.#pools.filter(({ prefix }) => prefix.family === family);
  }
}

const rangeOf = (prefix: Prefix): AddressRange => ({ first: networkOf(prefix).value, last: lastOf(prefix).value });
