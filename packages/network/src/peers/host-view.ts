/**
 * What a peer says of itself beside what this host is: its address and its subnets must not collide with ours. The way to
 * it is found in path.ts. Pure: the host comes in as what the kernel told.
 */
import { NetyardError, type Prefix, parseIp, parsePrefix, prefixContains, prefixesOverlap } from '@netyard/core';
import type { ObservedAddress, ObservedLink, ObservedRoute } from '@netyard/kernel';
import type { BridgeSettings } from '../bridge-settings.ts';
import type { PeerRecord } from '../contract.ts';
import { peerProtocol } from '../plan/peer.ts';

/** What the kernel said, and which bridges are ours. */
export interface HostView {
  links: readonly ObservedLink[];
  addresses: readonly ObservedAddress[];
  routes: readonly ObservedRoute[];
  bridges: readonly BridgeSettings[];
}

type Wanted = Pick<PeerRecord, 'name' | 'address' | 'subnets' | 'via'>;

export const mainTable = 254;

/**
 * Subnets must be none of ours. Before a peer is added no route of the host may overlap with them; later, when it may
 * be the host that changed, only a route of somebody else's to the very same subnet stands in the way.
 */
function checkSubnets(peer: Wanted, host: HostView, when: 'new' | 'known'): void {
  for (const subnet of peer.subnets) {
    const own = host.bridges.find((bridge) => overlap(bridge.subnet, subnet));
    if (own) {
      const ours = `our own network ${own.networkName} (${own.subnet})`;
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with ${ours}`, {
        hint: 'give each host a --bip of its own',
      });
    }
    const route = foreignRoutes(host).find(({ to }) => (when === 'new' ? overlap(to, subnet) : to === subnet));
    if (route) {
      const words = [
        'route',
        route.to,
        ...(route.via ? ['via', route.via] : []),
        ...(route.link ? ['dev', route.link] : []),
      ];
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with the host's ${words.join(' ')}`, {
        hint:
          route.to === subnet
            ? `peers make their routes themselves: ip route delete ${subnet}`
            : 'choose another subnet',
      });
    }
  }
}

/** IPv4 routes of the main table that neither we made nor every host has. */
function foreignRoutes({ routes, bridges }: HostView): ObservedRoute[] {
  const ours = new Set(bridges.map((bridge) => bridge.link));
  return routes.filter(
    ({ to, table, protocol, link }) =>
      table === mainTable &&
      protocol !== peerProtocol &&
      /^[0-9.]+\/[1-9]\d*$/.test(to) &&
      !(link !== undefined && ours.has(link)),
  );
}

const overlap = (a: string, b: string): boolean => prefixesOverlap(parsePrefix(a), parsePrefix(b));

/**
 * What a peer says of itself must not be what is ours. Throws `invalid` for its address, and what `checkSubnets` throws.
 */
export function checkPlace(peer: Wanted, host: HostView, when: 'new' | 'known'): void {
  const ip = parseIp(peer.address);
  if (ipv4Prefixes(host).some(({ prefix }) => prefix.value === ip.value))
    throw new NetyardError('invalid', `${peer.address} is an address of this host`);
  const own = host.bridges.find((bridge) => prefixContains(parsePrefix(bridge.subnet), ip));
  if (own) throw new NetyardError('invalid', `${peer.address} is in our own network ${own.networkName}`);
  checkSubnets(peer, host, when);
}

export function ipv4Prefixes({ addresses }: HostView): { link: string; prefix: Prefix }[] {
  return addresses
    .map(({ link, prefix }) => ({ link, prefix: parsePrefix(prefix) }))
    .filter(({ prefix }) => prefix.family === 4);
}
