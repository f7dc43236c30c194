/**
 * The addresses of one subnet: the holder of each allocated one, and the cursor of the next search. Reserves network,
 * broadcast, gateway and auxiliary addresses. State in memory only: the caller of a change also persists the lease.
 */
import {
  formatIp,
  formatPrefix,
  type Ip,
  lastOf,
  NetyardError,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
} from '@netyard/core';
import type { IpamPool } from '../contract.ts';
import { nextFree } from './allocate.ts';

export class AddressPool {
  readonly subnet: Prefix;
  readonly gateway: string | undefined;
  readonly #config: IpamPool;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #holders = new Map<bigint, string>();
  #cursor: bigint | undefined;
  #takenInRange = 0n;

  /** Throws `invalid` for a bad subnet, or a range or gateway outside of it. */
  constructor(pool: IpamPool) {
    this.#config = pool;
    this.subnet = networkOf(parsePrefix(pool.subnet));
    this.gateway = pool.gateway;
    const range = pool.range === undefined ? this.subnet : networkOf(parsePrefix(pool.range));
    if (!prefixContains(this.subnet, range) || !prefixContains(this.subnet, lastOf(range))) {
      const parent = formatPrefix(this.subnet);
      throw new NetyardError(
        'invalid',
        `invalid ip-range ${pool.range}: parent subnet ${parent} doesn't contain ip-range`,
      );
    }
    this.#first = range.value;
    this.#last = lastOf(range).value;
    // RFC 3021: a /31 has neither a network nor a broadcast address.
    const hasBoth = this.subnet.family === 4 && this.subnet.length < 31;
    if (hasBoth || this.subnet.family === 6) this.#reserve(this.subnet.value, 'network');
    if (hasBoth) this.#reserve(lastOf(this.subnet).value, 'broadcast');
    if (pool.gateway !== undefined) this.#reserve(this.#inside(pool.gateway).value, 'gateway');
    for (const [name, address] of Object.entries(pool.auxAddresses ?? {}))
      this.#reserve(this.#inside(address).value, name);
  }

  contains(address: string): boolean {
    return prefixContains(this.subnet, parseIp(address));
  }

  /** Container id, or the reason of a reservation (`gateway`); undefined when free. */
  holder(address: string): string | undefined {
    return this.#holders.get(parseIp(address).value);
  }

  /** The next address to pass to `take`, or undefined when the pool is full. Changes nothing. */
  next(): string | undefined {
    const value = nextFree({
      first: this.#first,
      last: this.#last,
      cursor: this.#cursor,
      isTaken: (candidate) => this.#holders.has(candidate),
      takenCount: this.#takenInRange,
    });
    return value === undefined ? undefined : formatIp({ family: this.subnet.family, value });
  }

  /** Throws `forbidden` when another container holds it, `invalid` when it is outside the subnet. */
  take(address: string, containerId: string): void {
    const { value } = this.#inside(address);
    const holder = this.#holders.get(value);
    if (holder === containerId) return;
    if (holder !== undefined) throw new NetyardError('forbidden', 'Address already in use');
    this.#reserve(value, containerId);
  }

  /** Does nothing unless this container holds the address. */
  free(address: string, containerId: string): void {
    const { value } = parseIp(address);
    if (this.#holders.get(value) !== containerId) return;
    this.#holders.delete(value);
    if (value >= this.#first && value <= this.#last) this.#takenInRange -= 1n;
  }

  /** The number of allocated and reserved addresses, and of those that `next` can still return. */
  get use(): { subnet: string; inUse: bigint; available: bigint } {
    const available = this.#last - this.#first + 1n - this.#takenInRange;
    return { subnet: formatPrefix(this.subnet), inUse: BigInt(this.#holders.size), available };
  }

  /** An independent pool with the same allocations and cursor. */
  copy(): AddressPool {
    const pool = new AddressPool(this.#config);
    for (const [value, holder] of this.#holders) pool.#reserve(value, holder);
    pool.#cursor = this.#cursor;
    return pool;
  }

  get cursor(): string | undefined {
    return this.#cursor === undefined ? undefined : formatIp({ family: this.subnet.family, value: this.#cursor });
  }

  set cursor(address: string | undefined) {
    this.#cursor = address === undefined ? undefined : parseIp(address).value;
  }

  #reserve(value: bigint, holder: string): void {
    if (this.#holders.has(value)) return;
    this.#holders.set(value, holder);
    if (value >= this.#first && value <= this.#last) this.#takenInRange += 1n;
  }

  #inside(address: string): Ip {
    const ip = parseIp(address);
    if (prefixContains(this.subnet, ip)) return ip;
    throw new NetyardError('invalid', `no configured subnet contains IP address ${address}`);
  }
}
