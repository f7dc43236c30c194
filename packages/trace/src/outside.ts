/** The end `outside` of a trace: whatever is beyond the uplink of this host. Pure. */
import type { HostContainer, HostNamespace, HostTopology, PublishedPort } from '@netyard/topology';
import type { TraceEnd, TracePacket, TraceRequest } from './model.ts';
import { lookUpRoute, withoutLength } from './route-lookup.ts';

const families = [4, 6] as const;
/** Prefixes for documentation (RFC 5737, RFC 3849, RFC 9637): no host has these addresses. */
const nowhere = { 4: ['192.0.2.1', '198.51.100.1', '203.0.113.1'], 6: ['2001:db8::1', '3fff::1'] } as const;

/** Addresses that stand for all others: of each family one for which this host uses its default route, if it has one. */
export function outsideEnd(text: string, topology: HostTopology): TraceEnd {
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const addresses = families.map((family) => {
    const routes = nowhere[family].map((address) => ({ address, to: host && lookUpRoute(host, address)?.to }));
    const isFit = (one: (typeof routes)[number]): boolean => one.to === 'default';
    return (routes.find(isFit) ?? routes.find(({ to }) => to === undefined))?.address ?? nowhere[family][0];
  });
  return { text, addresses, isOutside: true };
}

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

export interface Uplink {
  link: string;
  /** The host's address on it. */
  address: string;
}

/** The interface by which packets of this family come from outside: that of the default route, or else one that could be. */
export function uplinkOf(topology: HostTopology, family: 4 | 6): Uplink | undefined {
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const byRoute = host?.routes.find((route) => route.to === 'default' && route.family === family)?.link;
  const link =
    host?.links.find(({ name }) => name === byRoute) ?? host?.links.find((one) => couldBeUplink(topology, one, family));
  const address = link && addressOf(link.addresses, family);
  return link && address !== undefined ? { link: link.name, address } : undefined;
}

function couldBeUplink(topology: HostTopology, link: HostNamespace['links'][number], family: 4 | 6): boolean {
  const leadsHere = topology.namespaces.some(({ id }) => id === link.peer?.namespaceId);
  const isVirtual = link.name === 'lo' || link.kind === 'bridge' || link.kind === 'vxlan' || leadsHere;
  return !isVirtual && link.masterIndex === undefined && addressOf(link.addresses, family) !== undefined;
}

const addressOf = (prefixes: readonly string[], family: 4 | 6): string | undefined =>
  prefixes.map(withoutLength).find((address) => familyOf(address) === family && !/^fe[89ab]/.test(address));

/** Ports that take packets to a port of a container. */
export const publishedPorts = ({ ports }: HostContainer, { protocol, port }: TraceRequest): PublishedPort[] =>
  ports.filter((one) => one.protocol === protocol && one.containerPort === port);

export const isLoopback = ({ hostAddress }: PublishedPort): boolean => /^127\.|^::1$/.test(hostAddress);

/** A container with addresses that only this host routes to. */
export const isBehindPorts = ({ container, namespace }: TraceEnd): boolean =>
  container !== undefined && !namespace?.isHost && !namespace?.links.some(isOnParent);

/** Packets for it pass its parent, and not the host. */
export const isOnParent = ({ kind }: HostNamespace['links'][number]): boolean =>
  kind === 'macvlan' || kind === 'ipvlan';

/** What a client outside sends for this target; undefined when nothing can reach it. */
export function packetFromOutside(
  topology: HostTopology,
  to: TraceEnd,
  request: TraceRequest,
): TracePacket | undefined {
  const { protocol, port } = request;
  const family = request.family ?? familyOf(to.container ? '' : (to.addresses[0] ?? ''));
  const uplink = uplinkOf(topology, family);
  const own = to.addresses.find((address) => familyOf(address) === family);
  if (to.container === undefined || !isBehindPorts(to) || port === undefined) {
    const destination = to.namespace?.isHost ? (uplink?.address ?? own) : own;
    return destination === undefined
      ? undefined
      : { protocol, destination, ...(port === undefined ? {} : { destinationPort: port }) };
  }
  const isAny = (address: string): boolean => address === '0.0.0.0' || address === '::';
  const found = publishedPorts(to.container, request).find(
    (one) => !isLoopback(one) && familyOf(one.hostAddress) === family,
  );
  const destination = found && isAny(found.hostAddress) ? uplink?.address : found?.hostAddress;
  return found && destination !== undefined ? { protocol, destination, destinationPort: found.hostPort } : undefined;
}
