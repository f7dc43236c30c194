/**
 * The addresses of one network: one pool per subnet, any number of subnets per family. A family's next address comes from
 * the pool of the last allocated one, and from the following pools when that is full.
 */
import { NetyardError } from '@netyard/core';
import type { IpamPool } from '../contract.ts';
import { type Family, families, familyOfAddress, type PerFamily, perFamily, valuesOf } from '../family.ts';
import { AddressPool } from './pool.ts';

export class NetworkPools {
  readonly #pools: PerFamily<AddressPool[]>;
  /** Index of the pool of the last allocated address. */
  readonly #current: Record<Family, number> = { v4: 0, v6: 0 };

  /** Throws `invalid` for a bad subnet, or a range or gateway outside of it. */
  constructor(ipam: PerFamily<readonly IpamPool[]>) {
    this.#pools = perFamily((family) => ipam[family]?.map((pool) => new AddressPool(pool)));
  }

  /** Whether the network has subnets of the family. */
  has(family: Family): boolean {
    return this.#pools[family] !== undefined;
  }

  /** The pool whose subnet contains the address. */
  poolOf(address: string): AddressPool | undefined {
    return this.#pools[familyOfAddress(address)]?.find((pool) => pool.contains(address));
  }

  /** The holder's id, or the reason of a reservation (`gateway`); undefined when free. */
  holder(address: string): string | undefined {
    return this.poolOf(address)?.holder(address);
  }

  /** The next address to pass to `take`, or undefined when all pools are full. Changes nothing. */
  next(family: Family): string | undefined {
    const pools = this.#pools[family] ?? [];
    const first = this.#current[family];
    for (const pool of [...pools.slice(first), ...pools.slice(0, first)]) {
      const address = pool.next();
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** Throws `forbidden` when another one holds it, `invalid` when it is outside of all subnets. */
  take(address: string, holder: string): void {
    const pool = this.poolOf(address);
    if (!pool) throw new NetyardError('invalid', `no configured subnet contains IP address ${address}`);
    pool.take(address, holder);
  }

  /** Does nothing unless `holder` holds the address. */
  free(address: string, holder: string): void {
    this.poolOf(address)?.free(address, holder);
  }

  /** By subnet: see `AddressPool.use`. */
  get use(): AddressPool['use'][] {
    return valuesOf(this.#pools)
      .flat()
      .map((pool) => pool.use);
  }

  /** The last address allocated by `next`, per family. */
  get cursors(): PerFamily<string> {
    return perFamily((family) => this.#pools[family]?.[this.#current[family]]?.cursor);
  }

  /** Ignores a cursor outside of all subnets, and an undefined one. */
  setCursor(address: string | undefined): void {
    const pool = address === undefined ? undefined : this.poolOf(address);
    if (!pool || address === undefined) return;
    pool.cursor = address;
    const family = familyOfAddress(address);
    this.#current[family] = this.#pools[family]?.indexOf(pool) ?? 0;
  }

  /** Independent pools with the same allocations and cursors. */
  copy(): NetworkPools {
    const pools = new NetworkPools({});
    for (const family of families) {
      const own = this.#pools[family];
      if (own) pools.#pools[family] = own.map((pool) => pool.copy());
    }
    Object.assign(pools.#current, this.#current);
    return pools;
  }
}
