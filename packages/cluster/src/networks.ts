/** Which subnets a new network of the cluster gets, and how large their parts are. Pure. */
import { formatPrefix, NetyardError, networkOf, type Prefix, parsePrefix, prefixesOverlap } from '@netyard/core';
import type { DividedSubnet } from './contract.ts';

/**
 * Automatic subnets: /16, of this block, from the upper half on, which clouds and home routers rarely use. The part of it
 * from which hosts take the subnets of their own networks (`defaultSubnetPools` of network) is not used.
 */
const automatic = { block: parsePrefix('10.0.0.0/8'), length: 16, first: 128, except: parsePrefix('10.208.0.0/12') };

/** Hash tables of the firewall are for parts of this size. */
const defaultPartSize = 24;
/** Network, gateway, broadcast, and five containers. */
const longestPart = 29;

/** This network, loopback, link-local, multicast and above (RFC 6890): hosts accept no such addresses from each other. */
const reserved = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/8', 'fe80::/10', 'ff00::/8'].map(
  parsePrefix,
);
const shortestSubnets = { 4: 8, 6: 16 } as const;

/** Unique local addresses with a random Global ID (RFC 4193). */
const automaticIpv6Length = 48;
const defaultIpv6PartSize = 64;
/** As many addresses as the smallest part of IPv4. */
const longestIpv6Part = 125;

export interface NetworkSize {
  subnet?: string;
  partSize?: number;
}

/** Returns the subnet, if one is requested, and the prefix length of the parts. Throws `invalid`. */
export function checkNetworkSize({ subnet, partSize }: NetworkSize): { subnet?: string; partSize: number } {
  const prefix = subnet === undefined ? undefined : checkSubnet(subnet, 4);
  const length = prefix?.length ?? automatic.length;
  const size = partSize ?? (length <= defaultPartSize - 4 ? defaultPartSize : Math.min(length + 4, longestPart));
  if (!Number.isInteger(size) || size < length || size > longestPart)
    throw new NetyardError('invalid', `parts of /${size} do not fit a subnet of /${length}`, {
      hint: `choose the prefix length of one host's part with -o netyard.subnet-size=N, from ${length} to ${longestPart}`,
    });
  return { partSize: size, ...(prefix === undefined ? {} : { subnet: formatPrefix(prefix) }) };
}

function checkSubnet(text: string, family: 4 | 6): Prefix {
  const prefix = parsePrefix(text);
  if (prefix.family !== family) throw new NetyardError('invalid', `subnet ${text} is not one of IPv${family}`);
  const taken = reserved.find((other) => prefixesOverlap(other, prefix));
  if (taken) throw new NetyardError('invalid', `subnet ${text} overlaps with ${formatPrefix(taken)}`);
  if (prefix.length < shortestSubnets[family]) throw new NetyardError('invalid', `subnet ${text} is too large`);
  return networkOf(prefix);
}

/** The number of a network's parts, as a power of two. */
export const partBits = ({ subnet, partSize }: { subnet?: string; partSize: number }): number =>
  partSize - (subnet === undefined ? automatic.length : parsePrefix(subnet).length);

/**
 * Returns the IPv6 subnet, if one is requested, and the prefix length of its parts: /64, unless a longer one is required for
 * as many parts as the IPv4 subnet has. Throws `invalid`.
 * @param bits see `partBits`, of the IPv4 subnet
 */
export function checkIpv6Size(
  { subnet, partSize }: Partial<DividedSubnet>,
  bits: number,
): { subnet?: string; partSize: number } {
  const prefix = subnet === undefined ? undefined : checkSubnet(subnet, 6);
  const length = prefix?.length ?? automaticIpv6Length;
  const size = partSize ?? Math.max(defaultIpv6PartSize, length + bits);
  if (size < length + bits || size > longestIpv6Part)
    throw new NetyardError('invalid', `subnet ${subnet} is too small for the ${2 ** bits} parts of the IPv4 subnet`, {
      hint: `choose an IPv6 subnet of /${longestIpv6Part - bits} or larger`,
    });
  return { partSize: size, ...(prefix === undefined ? {} : { subnet: formatPrefix(prefix) }) };
}

/** A host's part of the IPv6 subnet: the one of the same number as its part of the IPv4 subnet. */
export function ipv6PartOf({ subnet, partSize }: DividedSubnet, ipv6: DividedSubnet, part: string): string {
  const number = (parsePrefix(part).value - parsePrefix(subnet).value) >> BigInt(32 - partSize);
  const value = parsePrefix(ipv6.subnet).value + (number << BigInt(128 - ipv6.partSize));
  return formatPrefix({ family: 6, value, length: ipv6.partSize });
}

/** The other subnets of the cluster, with what each of them is: `network backend`, `host server2`. */
export interface TakenSubnet {
  subnet: string;
  owner: string;
}

/**
 * The requested subnet, else a free one. Throws `forbidden` for a requested one that overlaps with another, `invalid` when
 * none is free.
 * @param isTaken whether it is in use on this host
 */
export function chooseNetworkSubnet(
  requested: string | undefined,
  taken: readonly TakenSubnet[],
  isTaken: (subnet: string) => boolean,
): string {
  const found = choose(requested, candidates(), { taken, isTaken });
  if (found !== undefined) return found;
  throw new NetyardError('invalid', `no /${automatic.length} of ${formatPrefix(automatic.block)} is free`, {
    hint: 'give a free subnet with --subnet',
  });
}

/** As `chooseNetworkSubnet`. @param id of the network, of which the automatic subnet is made: hexadecimal, random */
export function chooseIpv6Subnet(
  requested: string | undefined,
  taken: readonly TakenSubnet[],
  isTaken: (subnet: string) => boolean,
  id: string,
): string {
  const found = choose(requested, ipv6Candidates(id), { taken, isTaken });
  if (found !== undefined) return found;
  throw new NetyardError('invalid', 'no free IPv6 subnet was found', { hint: 'give a free subnet with --subnet' });
}

interface Used {
  taken: readonly TakenSubnet[];
  isTaken: (subnet: string) => boolean;
}

function choose(requested: string | undefined, all: Iterable<Prefix>, { taken, isTaken }: Used): string | undefined {
  const others = taken.map(({ subnet, owner }) => ({ prefix: parsePrefix(subnet), subnet, owner }));
  const overlapping = (prefix: Prefix): (typeof others)[number] | undefined =>
    others.find((other) => prefixesOverlap(other.prefix, prefix));
  if (requested !== undefined) {
    const other = overlapping(parsePrefix(requested));
    if (!other) return requested;
    throw new NetyardError('forbidden', `subnet ${requested} overlaps with ${other.subnet} of ${other.owner}`);
  }
  for (const candidate of all) {
    const text = formatPrefix(candidate);
    if (overlapping(candidate) === undefined && !isTaken(text)) return text;
  }
  return undefined;
}

/** A Global ID (RFC 4193, section 3.2) has 40 bits: ten digits of the id each. */
function* ipv6Candidates(id: string): Generator<Prefix> {
  for (const digits of id.match(/[0-9a-f]{10}/g) ?? [])
    yield { family: 6, value: BigInt(`0xfd${digits}`) << 80n, length: automaticIpv6Length };
}

function* candidates(): Generator<Prefix> {
  const { block, length, first, except } = automatic;
  const count = 2 ** (length - block.length);
  for (let step = 0; step < count; step++) {
    const index = BigInt((first + step) % count);
    const candidate: Prefix = { family: 4, value: block.value + (index << BigInt(32 - length)), length };
    if (!prefixesOverlap(candidate, except)) yield candidate;
  }
}
