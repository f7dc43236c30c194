/** Checks the subnets that a new network requests, with Docker's messages (moby daemon/network.go, ValidateIPAM). Pure. */
import {
  formatPrefix,
  NetyardError,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  tryParseIp,
  tryParsePrefix,
} from '@netyard/core';
import type { IpamPool } from '../contract.ts';

/** Throws `invalid` with all problems in one list. */
export function checkPools(pools: readonly IpamPool[]): void {
  const problems = pools.flatMap(findPoolProblems);
  if (problems.length > 0) throw new NetyardError('invalid', `invalid network config:\n${joinProblems(problems)}`);
}

/** As moby prints a joined error. */
const joinProblems = (problems: readonly string[]): string =>
  problems.length === 1 ? (problems[0] ?? '') : problems.map((problem) => `* ${problem}`).join('\n');

/** Whether a pool requests any subnet, whose size and place do not matter. */
export const isAutomatic = (pool: IpamPool): boolean =>
  pool.subnet === '' && pool.gateway === undefined && pool.range === undefined && pool.auxAddresses === undefined;

function findPoolProblems(pool: IpamPool): string[] {
  if (isAutomatic(pool)) return [];
  const subnet = tryParsePrefix(pool.subnet);
  if (!subnet) return [`invalid subnet ${pool.subnet}: invalid CIDR block notation`];
  const special = specialBlocks.find((block) => prefixContains(block.prefix, networkOf(subnet)));
  if (special) return [`invalid subnet ${pool.subnet}: ${special.use}`];
  const network = networkOf(subnet);
  const isMasked = network.value === subnet.value;
  const gateway = findAddressProblem(pool.gateway, subnet);
  const aux = Object.entries(pool.auxAddresses ?? {}).flatMap(([name, address]) => {
    const problem = findAddressProblem(address, subnet);
    return problem === undefined ? [] : [`invalid auxiliary address ${name}: ${problem}`];
  });
  return [
    ...(isMasked ? [] : [`invalid subnet ${formatPrefix(subnet)}: it should be ${formatPrefix(network)}`]),
    ...(pool.range === undefined ? [] : findRangeProblems(pool.range, subnet)),
    ...(gateway === undefined ? [] : [`invalid gateway ${pool.gateway}: ${gateway}`]),
    ...aux,
  ];
}

/**
 * Linux gives no interface an address of these, or drops its packets (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3 and 2.5.5.2).
 * Drivers refuse IPv6 multicast.
 */
const specialBlocks = [
  { prefix: parsePrefix('127.0.0.0/8'), use: 'loopback addresses' },
  { prefix: parsePrefix('224.0.0.0/4'), use: 'multicast addresses' },
  { prefix: parsePrefix('::1/128'), use: 'the loopback address' },
  { prefix: parsePrefix('::ffff:0:0/96'), use: 'IPv4-mapped addresses' },
];

function findRangeProblems(text: string, subnet: Prefix): string[] {
  const range = tryParsePrefix(text);
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  const parent = formatPrefix(subnet);
  if (range.family !== subnet.family)
    return [`invalid ip-range ${text}: parent subnet is an IPv${subnet.family} block`];
  const network = networkOf(range);
  const problems = [
    ...(range.length < subnet.length ? [`CIDR block is bigger than its parent subnet ${parent}`] : []),
    ...(network.value === range.value ? [] : [`it should be ${formatPrefix(network)}`]),
    ...(prefixesOverlap(subnet, range) ? [] : [`parent subnet ${parent} doesn't contain ip-range`]),
  ];
  return problems.map((problem) => `invalid ip-range ${formatPrefix(range)}: ${problem}`);
}

function findAddressProblem(text: string | undefined, subnet: Prefix): string | undefined {
  if (text === undefined || text === '') return undefined;
  const address = tryParseIp(text);
  if (!address) return 'invalid address';
  if (address.family !== subnet.family) return `parent subnet is an IPv${subnet.family} block`;
  return prefixContains(subnet, address)
    ? undefined
    : `parent subnet ${formatPrefix(subnet)} doesn't contain this address`;
}
