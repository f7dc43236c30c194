/**
 * Checks that a peer's address and subnets do not conflict with this host's. The path to the peer is determined in
 * path.ts. Pure: the kernel's dumps are passed in.
 */
import { NetyardError, type Prefix, parseIp, parsePrefix, prefixContains, prefixesOverlap } from '@netyard/core';
import type { ObservedAddress, ObservedLink, ObservedRoute } from '@netyard/kernel';
import type { OwnNetwork, PeerRecord } from './contract.ts';
import { hasIpv6, peerProtocol } from './plan.ts';

/** Dumps of the kernel, and the bridges of this host's own networks. */
export interface HostView {
  links: readonly ObservedLink[];
  addresses: readonly ObservedAddress[];
  routes: readonly ObservedRoute[];
  bridges: readonly OwnNetwork[];
}

export interface HostAddress {
  link: string;
  prefix: Prefix;
  /** Not only valid on its link. */
  isGlobal: boolean;
  /** See `ObservedAddress`. */
  isTransient: boolean;
}

/** What the checks of each peer need, parsed once for all peers that are checked against the same dumps. */
interface ParsedView {
  addresses: readonly HostAddress[];
  /** `whole`: also the parts of other hosts. */
  bridges: readonly { network: OwnNetwork; prefix: Prefix; whole: Prefix }[];
  foreignRoutes: readonly { route: ObservedRoute; prefix: Prefix }[];
}

const parsedViews = new WeakMap<HostView, ParsedView>();

/** A view never changes: a new dump makes a new one. */
function parsed(host: HostView): ParsedView {
  const known = parsedViews.get(host);
  if (known !== undefined) return known;
  const view: ParsedView = {
    addresses: host.addresses.map(({ link, prefix, scope, transient }) => ({
      ...{ link, prefix: parsePrefix(prefix), isGlobal: scope === 0, isTransient: transient === true },
    })),
    bridges: host.bridges.map((network) => ({
      ...{ network, prefix: parsePrefix(network.subnet), whole: parsePrefix(network.wholeSubnet ?? network.subnet) },
    })),
    foreignRoutes: foreignRoutes(host).map((route) => ({ route, prefix: parsePrefix(route.to) })),
  };
  parsedViews.set(host, view);
  return view;
}

type PeerAddresses = Pick<PeerRecord, 'name' | 'address' | 'subnets' | 'via' | 'network'>;

export const mainTable = 254;

/**
 * Subnets must not overlap with Netyard's networks. A new peer's subnets must not overlap with any route of the host;
 * for a known peer, where the host's routes may be newer, only a foreign route to exactly the same subnet is a conflict.
 */
function checkSubnets(peer: PeerAddresses, host: HostView, when: 'new' | 'known'): void {
  const { bridges, foreignRoutes } = parsed(host);
  const parted = peer.network === undefined ? [] : partedNetworks(peer.network, peer.subnets, host);
  for (const subnet of peer.subnets) {
    const requested = parsePrefix(subnet);
    // Of the peer's own network, only this host's part is taken.
    const own = bridges.find(({ network, prefix, whole }) =>
      prefixesOverlap(parted.includes(network) ? prefix : whole, requested),
    )?.network;
    if (own) {
      const ours = `our own network ${own.networkName} (${own.subnet})`;
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with ${ours}`, {
        hint: 'assign each host its own subnet with --bip',
      });
    }
    const route = foreignRoutes.find(({ route: { to }, prefix }) =>
      when === 'new' ? prefixesOverlap(prefix, requested) : to === subnet,
    )?.route;
    if (route) {
      const text = [
        'route',
        route.to,
        ...(route.via ? ['via', route.via] : []),
        ...(route.link ? ['dev', route.link] : []),
      ];
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with the host's ${text.join(' ')}`, {
        hint:
          route.to === subnet
            ? `run \`ip route delete ${subnet}\`: Netyard creates the routes of peers itself`
            : 'choose another subnet',
      });
    }
  }
}

/** The families of the network. Throws `conflict` unless this host has it, and the subnets are parts of it. */
function partedNetworks(name: string, subnets: readonly string[], host: HostView): OwnNetwork[] {
  const found = parsed(host).bridges.filter(
    ({ network }) => network.networkName === name && network.wholeSubnet !== undefined,
  );
  if (found.length === 0) throw new NetyardError('conflict', `this host has no network ${name} of the cluster`);
  const isPart = (prefix: Prefix): boolean =>
    found.some(({ whole }) => prefix.length >= whole.length && prefixContains(whole, prefix));
  const networks = found.map(({ network }) => network);
  const foreign = subnets.find((subnet) => !isPart(parsePrefix(subnet)));
  if (foreign === undefined) return networks;
  const wholes = networks.map(({ wholeSubnet }) => wholeSubnet).join(', ');
  throw new NetyardError('conflict', `${foreign} is no part of network ${name} (${wholes})`);
}

/** Routes of the main table, without default routes, host-scope entries, Netyard's routes and its bridges' routes. */
function foreignRoutes({ routes, bridges }: HostView): ObservedRoute[] {
  const ours = new Set(bridges.map((bridge) => bridge.link));
  return routes.filter(
    ({ to, table, protocol, link }) =>
      table === mainTable &&
      protocol !== peerProtocol &&
      /^[0-9a-f.:]+\/[1-9]\d*$/.test(to) &&
      !(link !== undefined && ours.has(link)),
  );
}

/**
 * Checks a peer's address and subnets against this host. Throws `invalid` for its address, and as `checkSubnets` does.
 */
export function checkPlacement(peer: PeerAddresses, host: HostView, when: 'new' | 'known'): void {
  const ip = parseIp(peer.address);
  if (addressesOf(host, ip.family).some(({ prefix }) => prefix.value === ip.value))
    throw new NetyardError('invalid', `${peer.address} is an address of this host`);
  const own = parsed(host).bridges.find(({ prefix }) => prefixContains(prefix, ip))?.network;
  if (own) throw new NetyardError('invalid', `${peer.address} is in our own network ${own.networkName}`);
  if (hasIpv6(peer) && !host.bridges.some(({ subnet }) => subnet.includes(':')))
    throw new NetyardError('conflict', `peer ${peer.name} has IPv6 subnets, but no network of this host has IPv6`, {
      hint: 'start the daemon with --ipv6, or create a network with --ipv6',
    });
  checkSubnets(peer, host, when);
}

/** The host's addresses of a family. */
export const addressesOf = (host: HostView, family: 4 | 6): HostAddress[] =>
  parsed(host).addresses.filter(({ prefix }) => prefix.family === family);
