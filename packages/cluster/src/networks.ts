/** Which subnet a new network of the cluster gets, and how large its parts are. Pure. */
import { formatPrefix, NetyardError, networkOf, type Prefix, parsePrefix, prefixesOverlap } from '@netyard/core';

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
const reserved = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parsePrefix);
const shortestSubnet = 8;

export interface NetworkSize {
  subnet?: string;
  partSize?: number;
}

/** Returns the subnet, if one is requested, and the prefix length of the parts. Throws `invalid`. */
export function checkNetworkSize({ subnet, partSize }: NetworkSize): { subnet?: string; partSize: number } {
  const prefix = subnet === undefined ? undefined : checkSubnet(subnet);
  const length = prefix?.length ?? automatic.length;
  const size = partSize ?? (length <= defaultPartSize - 4 ? defaultPartSize : Math.min(length + 4, longestPart));
  if (!Number.isInteger(size) || size < length || size > longestPart)
    throw new NetyardError('invalid', `parts of /${size} do not fit a subnet of /${length}`, {
      hint: `choose the prefix length of one host's part with -o netyard.subnet-size=N, from ${length} to ${longestPart}`,
    });
  return { partSize: size, ...(prefix === undefined ? {} : { subnet: formatPrefix(prefix) }) };
}

function checkSubnet(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix.family !== 4)
    throw new NetyardError('not-implemented', 'IPv6 subnets of cluster networks are not implemented yet');
  const taken = reserved.find((other) => prefixesOverlap(other, prefix));
  if (taken) throw new NetyardError('invalid', `subnet ${text} overlaps with ${formatPrefix(taken)}`);
  if (prefix.length < shortestSubnet) throw new NetyardError('invalid', `subnet ${text} is too large`);
  return networkOf(prefix);
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
  const others = taken.map(({ subnet, owner }) => ({ prefix: parsePrefix(subnet), subnet, owner }));
  const overlapping = (prefix: Prefix): (typeof others)[number] | undefined =>
    others.find((other) => prefixesOverlap(other.prefix, prefix));
  if (requested !== undefined) {
    const other = overlapping(parsePrefix(requested));
    if (!other) return requested;
    throw new NetyardError('forbidden', `subnet ${requested} overlaps with ${other.subnet} of ${other.owner}`);
  }
  for (const candidate of candidates()) {
    const text = formatPrefix(candidate);
    if (overlapping(candidate) === undefined && !isTaken(text)) return text;
  }
  throw new NetyardError('invalid', `no /${automatic.length} of ${formatPrefix(automatic.block)} is free`, {
    hint: 'give a free subnet with --subnet',
  });
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
