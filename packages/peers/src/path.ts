/**
 * Determines the path to a peer: a route if the peer is on-link, otherwise the tunnel if a route leads to it. Pure: the
 * kernel's dumps are passed in.
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
import type { ObservedRoute } from '@netyard/kernel';
import type { PeerPath, PeerRecord } from './contract.ts';
import { type HostView, ipv4Prefixes, mainTable } from './host-view.ts';
import { hasIpv6 } from './plan.ts';
import { leastIpv6Mtu, tunnelLink, tunnelOverhead } from './tunnel.ts';

type PeerAddress = Pick<PeerRecord, 'address' | 'subnets' | 'via' | 'network'>;

/** An interface towards the peer, and this host's address on it. */
interface Uplink {
  link: string;
  local: string;
  /** The peer is on-link, with no router between. */
  shared: boolean;
}

/** Throws `invalid` if there can be no path, `conflict` if there is none at present. */
export function findPath(peer: PeerAddress, host: HostView): PeerPath {
  const on = findLink(parseIp(peer.address), host);
  if (on) checkHostPart(peer.address, on.prefix);
  const isUp = on !== undefined && host.links.some(({ name, up }) => name === on.link && up);
  const shared: Uplink | undefined = isUp ? { link: on.link, local: formatIp(on.prefix), shared: true } : undefined;
  if (shared && peer.via !== 'vxlan' && !hasIpv6(peer)) return routePath(peer, shared, host);
  const uplink = shared ?? (peer.via === 'route' ? undefined : findUplink(parseIp(peer.address), host));
  if (uplink) return tunnelPath(peer, uplink, host);
  if (on) throw new NetyardError('conflict', `link ${on.link}, which ${peer.address} is on, is down`);
  throw unreachable(peer);
}

function routePath(peer: PeerAddress, uplink: Uplink, host: HostView): PeerPath {
  const mtu = mtuOf(uplink, host);
  return { kind: 'route', link: uplink.link, gateway: peer.address, ...ends(peer, uplink, host), mtu };
}

function tunnelPath(peer: PeerAddress, uplink: Uplink, host: HostView): PeerPath {
  const mtu = mtuOf(uplink, host) - tunnelOverhead;
  if (hasIpv6(peer) && mtu < leastIpv6Mtu)
    throw new NetyardError(
      'conflict',
      `the tunnel over ${uplink.link} has an MTU of ${mtu}, IPv6 needs ${leastIpv6Mtu}`,
    );
  return { kind: 'vxlan', link: tunnelLink, gateway: peer.address, ...ends(peer, uplink, host), mtu };
}

/** The source address is that of the peer's network, whose containers on the other host accept no other. */
function ends(peer: PeerAddress, { link, local, shared }: Uplink, { bridges }: HostView) {
  const { network } = peer;
  const gatewayOf = (isIpv6: boolean): string | undefined =>
    bridges.find(
      ({ networkName, subnet }) =>
        subnet.includes(':') === isIpv6 && (network === undefined || networkName === network),
    )?.gateway;
  const [source, ipv6Source] = [gatewayOf(false), hasIpv6(peer) ? gatewayOf(true) : undefined];
  const sources = { ...(source === undefined ? {} : { source }), ...(ipv6Source === undefined ? {} : { ipv6Source }) };
  return { ...sources, uplink: link, local, shared };
}

const mtuOf = ({ link }: Uplink, { links }: HostView): number => links.find(({ name }) => name === link)?.mtu ?? 1500;

/** The interface whose subnet contains the address; the longest prefix of several. */
function findLink(ip: Ip, host: HostView): { link: string; prefix: Prefix } | undefined {
  return ipv4Prefixes(host)
    .filter(({ prefix, link }) => link !== 'lo' && prefix.length < 32 && prefixContains(prefix, ip))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

/** The output interface of the route to an address: longest prefix of the main table, then lowest metric. */
function findUplink(ip: Ip, host: HostView): Uplink | undefined {
  const up = new Set(host.links.filter((link) => link.up).map(({ name }) => name));
  for (const { link } of host.bridges) up.delete(link);
  for (const link of ['lo', tunnelLink]) up.delete(link);
  const [route] = host.routes
    .flatMap((found) => {
      const prefix = prefixOf(found);
      return found.table === mainTable && found.link !== undefined && up.has(found.link) && prefix
        ? { ...found, link: found.link, prefix }
        : [];
    })
    .filter(({ prefix }) => prefixContains(prefix, ip))
    .toSorted((a, b) => b.prefix.length - a.prefix.length || (a.metric ?? 0) - (b.metric ?? 0));
  if (!route) return undefined;
  const local = route.source ?? localAddress(route, host);
  return local === undefined ? undefined : { link: route.link, local, shared: false };
}

function prefixOf({ to, via }: ObservedRoute): Prefix | undefined {
  if (to === 'default') return via?.includes(':') ? undefined : { family: 4, value: 0n, length: 0 };
  const prefix = parsePrefix(to);
  return prefix.family === 4 ? prefix : undefined;
}

/** Source address for packets of a route: the interface's address in the router's subnet, otherwise its first one. */
function localAddress({ link, via }: { link: string; via?: string }, host: HostView): string | undefined {
  const prefixes = ipv4Prefixes(host).filter((address) => address.link === link);
  const inSubnet = via === undefined ? undefined : prefixes.find(({ prefix }) => prefixContains(prefix, parseIp(via)));
  const found = inSubnet ?? prefixes[0];
  return found && formatIp(found.prefix);
}

function checkHostPart(address: string, prefix: Prefix): void {
  const edges = [formatIp(networkOf(prefix)), formatIp(lastOf(prefix))];
  if (prefix.length < 31 && edges.includes(address))
    throw new NetyardError('invalid', `${address} is not a host address in ${formatPrefix(networkOf(prefix))}`);
}

function unreachable({ address, via }: PeerAddress): NetyardError {
  const where = `${address} is on no link of this host`;
  if (via === 'route')
    return new NetyardError('invalid', where, {
      hint: 'use --via auto: a route requires a peer without a router between, otherwise a tunnel is needed',
    });
  return new NetyardError('invalid', `${where}, and no route leads to it`, {
    hint: `check \`ip route get ${address}\``,
  });
}
