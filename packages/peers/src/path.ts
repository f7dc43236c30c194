/**
 * Determines the path to a peer: a route if the peer is on-link, otherwise the tunnel if a route leads to it. Pure: the
 * kernel's dumps are passed in.
 */
import { formatIp, formatPrefix, type Ip, lastOf, NetyardError, networkOf, type Prefix, parseIp } from '@netyard/core';
import type { PeerPath, PeerRecord } from './contract.ts';
import { addressesOf, type HostView } from './host-view.ts';
import { outerFamilyOf } from './outer-family.ts';
import { hasIpv6, needsIpv6Gateway, needsTunnel } from './plan.ts';
import { leastIpv6Mtu, tunnelLinks, tunnelLinkTo, tunnelOverheads } from './tunnel.ts';
import { findSharedLink, findUplink, type Uplink } from './uplink.ts';

type PeerAddress = Pick<PeerRecord, 'address' | 'subnets' | 'via' | 'network'>;

/** Throws `invalid` if there can be no path, `conflict` if there is none at present. */
export function findPath(peer: PeerAddress, host: HostView): PeerPath {
  const ip = parseIp(peer.address);
  const on = findSharedLink(ip, host);
  if (on) checkHostPart(ip, on.prefix);
  const shared: Uplink | undefined = on?.up ? { link: on.link, local: on.local, shared: true } : undefined;
  if (shared && peer.via !== 'vxlan' && !needsTunnel(peer)) return routePath(peer, shared, host);
  const uplink = shared ?? (peer.via === 'route' ? undefined : findUplink(ip, host));
  if (uplink) return tunnelPath(peer, uplink, host);
  if (on) throw new NetyardError('conflict', `link ${on.link}, which ${peer.address} is on, is down`);
  throw unreachable(peer, ip, host);
}

function routePath(peer: PeerAddress, uplink: Uplink, host: HostView): PeerPath {
  const mtu = mtuOf(uplink, host);
  return { kind: 'route', link: uplink.link, gateway: peer.address, ...ends(peer, uplink, host), mtu };
}

function tunnelPath(peer: PeerAddress, uplink: Uplink, host: HostView): PeerPath {
  const { address } = peer;
  const mtu = mtuOf(uplink, host) - tunnelOverheads[outerFamilyOf(address)];
  if (needsIpv6Gateway(peer) && mtu < leastIpv6Mtu)
    throw new NetyardError(
      'conflict',
      `the tunnel over ${uplink.link} has an MTU of ${mtu}, IPv6 needs ${leastIpv6Mtu}`,
    );
  return { kind: 'vxlan', link: tunnelLinkTo(address), gateway: address, ...ends(peer, uplink, host), mtu };
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

/**
 * The first and the last address of an IPv4 subnet are no hosts. Of an IPv6 subnet, the first one is that of any router
 * (RFC 4291, section 2.6.1).
 */
function checkHostPart(ip: Ip, prefix: Prefix): void {
  const subnet = networkOf(prefix);
  const edges = ip.family === 4 ? [subnet.value, lastOf(prefix).value] : [subnet.value];
  if (prefix.length < (ip.family === 4 ? 31 : 127) && edges.includes(ip.value))
    throw new NetyardError('invalid', `${formatIp(ip)} is not a host address in ${formatPrefix(subnet)}`);
}

function unreachable({ address, via }: PeerAddress, { family }: Ip, host: HostView): NetyardError {
  const where = `${address} is on no link of this host`;
  const inside = new Set(['lo', ...Object.values(tunnelLinks), ...host.bridges.map(({ link }) => link)]);
  if (!addressesOf(host, family).some(({ link, isGlobal }) => isGlobal && !inside.has(link)))
    return new NetyardError('invalid', `${address} is an IPv${family} address, but this host has none`, {
      hint: `use an IPv${family === 4 ? 6 : 4} address of the peer, or give this host an IPv${family} address`,
    });
  if (via === 'route')
    return new NetyardError('invalid', where, {
      hint: 'use --via auto: a route requires a peer without a router between, otherwise a tunnel is needed',
    });
  return new NetyardError('invalid', `${where}, and no route leads to it`, {
    hint: `check \`ip route get ${address}\``,
  });
}
