/** Selects a host's subnet from the pool: arithmetic and search order. Pure. */
import { createHash } from 'node:crypto';
import {
  formatPrefix,
  NetyardError,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixSize,
} from '@netyard/core';
import type { Pool } from './values.ts';

export const defaultPool: Pool = { subnet: '192.168.0.0/16', subnetSize: 24 };

/** Throws `invalid` unless hosts' subnets fit into the pool and containers into a host's subnet. */
export function checkPool({ subnet, subnetSize }: Pool): void {
  const pool = parsePrefix(subnet);
  const invalid = (message: string, hint: string): NetyardError => new NetyardError('invalid', message, { hint });
  if (pool.family !== 4 || networkOf(pool).value !== pool.value)
    throw invalid(
      `invalid --cluster-subnet ${subnet}: not an IPv4 subnet`,
      'use the first address of the subnet, such as 192.168.0.0/16',
    );
  if (!Number.isInteger(subnetSize) || subnetSize > 30 || subnetSize < pool.length)
    throw invalid(
      `--cluster-subnet-size ${subnetSize} does not fit --cluster-subnet ${subnet}`,
      `set it to the prefix length of one host's subnet, from ${pool.length} to 30`,
    );
}

export const poolCount = ({ subnet, subnetSize }: Pool): number => 2 ** (subnetSize - parsePrefix(subnet).length);

const nth = ({ subnet, subnetSize }: Pool, index: number): Prefix => {
  const pool = parsePrefix(subnet);
  const size = 1n << BigInt(32 - subnetSize);
  return { family: 4, value: pool.value + BigInt(index) * size, length: subnetSize };
};

/** Whether `subnet` is one of the pool's host subnets. */
export function isOfPool(pool: Pool, subnet: string): boolean {
  const prefix = parsePrefix(subnet);
  return (
    prefix.length === pool.subnetSize &&
    networkOf(prefix).value === prefix.value &&
    prefixContains(parsePrefix(pool.subnet), prefix)
  );
}

/**
 * A free subnet, or undefined when there is none. The search starts at a position derived from the host's id, so that
 * hosts that join at the same time do not all try the same subnet. `taken` contains host subnets of the pool as text; a
 * subnet that overlaps with one of `avoid` (the networks that hosts are attached to) is never returned.
 */
export function chooseSubnet(
  pool: Pool,
  hostId: string,
  taken: ReadonlySet<string>,
  avoid: readonly Prefix[],
): string | undefined {
  const count = poolCount(pool);
  const start = createHash('sha256').update(hostId).digest().readUInt32BE(0) % count;
  const overlapping = avoid.filter(
    (prefix) => prefix.family === 4 && prefixesOverlap(prefix, parsePrefix(pool.subnet)),
  );
  for (let step = 0; step < count; step++) {
    const candidate = nth(pool, (start + step) % count);
    const text = formatPrefix(candidate);
    if (!taken.has(text) && !overlapping.some((prefix) => prefixesOverlap(prefix, candidate))) return text;
  }
  return undefined;
}

/** The first usable address with the prefix length, for the host's own bridge: `192.168.12.1/24`. */
export function firstAddressOf(subnet: string): string {
  const prefix = parsePrefix(subnet);
  if (prefixSize(prefix) < 4n) throw new NetyardError('invalid', `subnet ${subnet} is too small for containers`);
  return formatPrefix({ ...prefix, value: networkOf(prefix).value + 1n });
}
