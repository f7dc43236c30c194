/** The pools from which networks without a requested subnet get one (`--default-address-pool`). Pure. */
import { hash } from 'node:crypto';
import { formatPrefix, NetyardError, networkOf, type Prefix, parsePrefix } from '@netyard/core';
import type { SubnetPool } from '../contract.ts';
import { families, familyOfAddress } from '../family.ts';

/**
 * Docker's pools in Docker's order, for 31 networks, then a part of 10.0.0.0/8 that clouds and home routers rarely use, for
 * 4096 more of 254 endpoints each.
 */
export const defaultSubnetPools: readonly SubnetPool[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
  { base: '10.208.0.0/12', size: 24 },
];

/**
 * The unique local addresses of a host (RFC 4193), as Docker derives them: `fd` and the 40 low bits of the first 8 bytes
 * of the daemon id's SHA-256, for 65536 networks.
 */
function uniqueLocalPool(daemonId: string): SubnetPool {
  const id = hash('sha256', daemonId).slice(6, 16);
  return { base: `fd${id.slice(0, 2)}:${id.slice(2, 6)}:${id.slice(6)}::/48`, size: 64 };
}

/** The given pools, completed by the default ones for a family without any. */
export function subnetPoolsOf(given: readonly SubnetPool[] = [], daemonId = ''): SubnetPool[] {
  const defaults = { v4: defaultSubnetPools, v6: [uniqueLocalPool(daemonId)] };
  return families.flatMap((family) => {
    const own = given.filter(({ base }) => familyOfAddress(base) === family);
    return own.length > 0 ? own : defaults[family];
  });
}

/** Parses dockerd's `base=CIDR,size=N`. Throws `invalid`. */
export function parseSubnetPool(text: string): SubnetPool {
  const invalid = (reason: string): NetyardError =>
    new NetyardError('invalid', `invalid argument "${text}" for "--default-address-pool" flag: ${reason}`);
  const fields = text.split(',').map((field) => field.trim().split('='));
  const bad = fields.find(([key = '', value]) => value === undefined || !['base', 'size'].includes(key.toLowerCase()));
  if (bad?.length === 1) throw invalid(`invalid field '${bad[0]}' must be a key=value pair`);
  if (bad) throw invalid(`unexpected key '${bad[0]}' in '${bad.join('=')}'`);
  const fieldOf = (name: string): string | undefined => fields.findLast(([key]) => key?.toLowerCase() === name)?.[1];
  const [base, size] = [fieldOf('base'), fieldOf('size')];
  if (base === undefined || size === undefined) throw invalid('both base and size are required');
  if (!/^\d{1,3}$/.test(size)) throw invalid(`invalid size value: ${size}`);
  return checkSubnetPool({ base, size: Number(size) });
}

/** Returns the pool with its base in canonical form. Throws `invalid` for one that has no room for a network. */
export function checkSubnetPool({ base, size }: SubnetPool): SubnetPool {
  const prefix = parsePool(base);
  const reject = (reason: string): never => {
    throw new NetyardError('invalid', `invalid default address pool ${base}: ${reason}`);
  };
  const canonical = formatPrefix(networkOf(prefix));
  if (canonical !== formatPrefix(prefix)) reject(`it should be ${canonical}`);
  if (size < prefix.length) reject(`subnets of /${size} are larger than the pool`);
  if (size > (prefix.family === 4 ? 30 : 126)) reject(`subnets of /${size} have no room for containers`);
  return { base: canonical, size };
}

function parsePool(base: string): Prefix {
  try {
    return parsePrefix(base);
  } catch (cause) {
    throw new NetyardError('invalid', `invalid default address pool ${base}: invalid CIDR address`, { cause });
  }
}
