/**
 * Predicts the way of a packet through the namespaces of a host: routes, bridges, veth pairs, published ports. Firewall
 * rules are not evaluated: the trace shows what they decide. Pure.
 */
import {
  type Crossing,
  type HostNamespace,
  type HostTopology,
  isAddressed,
  type JoinedBridge,
  joinedBridges,
  type ListeningSocket,
  type NamespaceLink,
} from '@netyard/topology';
import type { Hop, PathEnd, PredictedPath, TracePacket } from './model.ts';
import { findPublished } from './published.ts';
import { formatRoute, lookUpRoute, withoutLength } from './route-lookup.ts';

/** More namespaces than any packet passes on one host. */
const maxSteps = 16;

/** A packet in a namespace, before routing. */
interface Position {
  namespace: HostNamespace;
  /** Interface by which it came in; undefined for a packet sent here. */
  input: string | undefined;
  packet: TracePacket;
}

/** The next position, or the end of the path. */
type Step = Position | PathEnd;

/** `input`: interface by which the packet enters the namespace; undefined for a packet that is sent there. */
export function predictPath(
  topology: HostTopology,
  sender: HostNamespace,
  packet: TracePacket,
  input?: string,
): PredictedPath {
  const hops: Hop[] = [];
  let position: Position = { namespace: sender, input, packet };
  for (let step = 0; step < maxSteps; step += 1) {
    const next = route(topology, position, hops);
    if ('kind' in next) return { hops, end: next };
    position = next;
  }
  return { hops, end: { kind: 'loop', namespaceId: position.namespace.id, packet: position.packet } };
}

const hopAt = (namespace: HostNamespace, hop: Omit<Hop, 'namespaceId' | 'place'>): Hop => ({
  ...{ namespaceId: namespace.id, place: namespace.name },
  ...hop,
});

function route(topology: HostTopology, position: Position, hops: Hop[]): Step {
  const { namespace, input } = position;
  const packet = translate(topology, position, hops);
  const found = lookUpRoute(namespace, packet.destination);
  const here = { namespaceId: namespace.id, packet };
  if (found === undefined) return { kind: 'no-route', ...here };
  if (found.type === 'local') return deliver(namespace, packet, hops);
  if (found.type !== 'unicast') return { kind: 'no-route', ...here, route: formatRoute(found) };
  const forwards = found.family === 4 ? namespace.forwarding.v4 : namespace.forwarding.v6;
  if (input !== undefined && !forwards) return { kind: 'not-forwarded', ...here };
  hops.push(hopAt(namespace, { kind: 'route', name: formatRoute(found), packet }));
  const link = namespace.links.find(({ name }) => name === found.link);
  const nextHop = found.via ?? packet.destination;
  if (link === undefined) return { kind: 'no-route', ...here, route: formatRoute(found) };
  return leave(topology, { namespace, input, packet }, link, nextHop, hops);
}

/** Destination translation of published ports, in prerouting and output of the host. */
function translate(topology: HostTopology, { namespace, packet }: Position, hops: Hop[]): TracePacket {
  if (!namespace.isHost) return packet;
  const published = findPublished(topology, namespace, packet);
  const [address] = published?.addresses ?? [];
  if (published === undefined || address === undefined) return packet;
  const translated = { ...packet, destination: address, destinationPort: published.port.containerPort };
  const name = `port ${published.port.hostPort}/${published.port.protocol} of ${published.container.name}`;
  hops.push(hopAt(namespace, { kind: 'translation', name, packet: translated }));
  return translated;
}

function deliver(namespace: HostNamespace, packet: TracePacket, hops: Hop[]): PathEnd {
  const socket = findListener(namespace, packet);
  const name = socket?.process?.name ?? (socket ? 'listener' : 'kernel');
  hops.push(hopAt(namespace, { kind: 'socket', name, packet }));
  return { kind: 'delivered', namespaceId: namespace.id, packet, ...(socket ? { socket } : {}) };
}

/** The socket that takes the packet: bound to its address rather than to all, of its family rather than of both. */
export function findListener(namespace: HostNamespace, packet: TracePacket): ListeningSocket | undefined {
  const isSix = packet.destination.includes(':');
  const candidates = namespace.sockets.filter(
    ({ protocol, port }) => protocol === packet.protocol && port === packet.destinationPort,
  );
  const takesAll = isSix ? ['::'] : ['0.0.0.0', '::'];
  return (
    candidates.find(({ address }) => address === packet.destination) ??
    takesAll
      .map((any) => candidates.find(({ address, v6only }) => address === any && (isSix || address !== '::' || !v6only)))
      .find((socket) => socket !== undefined)
  );
}

/** The packet leaves by a link towards the owner of `nextHop`. */
function leave(topology: HostTopology, position: Position, link: NamespaceLink, nextHop: string, hops: Hop[]): Step {
  const { namespace, packet } = position;
  const here = { namespaceId: namespace.id, packet };
  if (!link.up) return { kind: 'link-down', ...here, link: link.name };
  if (link.kind === 'bridge') return acrossBridge(topology, position, link, undefined, nextHop, hops);
  hops.push(hopAt(namespace, { kind: 'link', name: link.name, direction: 'out', packet }));
  if (link.peer !== undefined) return throughVeth(topology, position, link, nextHop, hops);
  const sibling = link.kind === 'macvlan' || link.kind === 'ipvlan' ? ownerOf(topology, nextHop, link.kind) : undefined;
  if (sibling !== undefined) return arrive(sibling.namespace, sibling.link, packet, hops);
  return { kind: 'left', ...here, link: link.name, nextHop };
}

function throughVeth(
  topology: HostTopology,
  { namespace, packet }: Position,
  link: NamespaceLink,
  nextHop: string,
  hops: Hop[],
): Step {
  const other = topology.namespaces.find(({ id }) => id === link.peer?.namespaceId);
  const end = other?.links.find(({ index }) => index === link.peer?.index);
  if (other === undefined || end === undefined)
    return { kind: 'left', namespaceId: namespace.id, link: link.name, nextHop, packet };
  if (!end.up) return { kind: 'link-down', namespaceId: other.id, link: end.name, packet };
  const bridge = other.links.find(({ index }) => index === end.masterIndex);
  if (bridge === undefined) return arrive(other, end, packet, hops);
  hops.push(hopAt(other, { kind: 'link', name: end.name, direction: 'in', packet }));
  if (!bridge.up) return { kind: 'link-down', namespaceId: other.id, link: bridge.name, packet };
  const position = { namespace: other, input: bridge.name, packet };
  return acrossBridge(topology, position, bridge, end, nextHop, hops);
}

/** From a bridge, and those joined to it, to the port behind which `nextHop` is, or to the host that has it. */
function acrossBridge(
  topology: HostTopology,
  { namespace, packet }: Position,
  bridge: NamespaceLink,
  from: NamespaceLink | undefined,
  nextHop: string,
  hops: Hop[],
): Step {
  hops.push(hopAt(namespace, { kind: 'bridge', name: bridge.name, packet }));
  const bridges = joinedBridges(namespace, bridge);
  const own = from && hasAddress(namespace, nextHop) ? ownBridge(bridges, nextHop) : undefined;
  if (own !== undefined)
    return cross(namespace, own.crossings, packet, hops) ?? { namespace, input: own.bridge.name, packet };
  const found = findPort(topology, namespace, { bridges, from, nextHop });
  if (found !== undefined) {
    const { port, other, end, crossings } = found;
    const stopped = cross(namespace, crossings, packet, hops);
    if (stopped !== undefined) return stopped;
    hops.push(hopAt(namespace, { kind: 'link', name: port.name, direction: 'out', packet }));
    if (!port.up || !end.up) return { kind: 'link-down', namespaceId: namespace.id, link: port.name, packet };
    return arrive(other, end, packet, hops);
  }
  return leaveBridges(namespace, { bridges, from, nextHop }, packet, hops);
}

/** Where the host answers for an address that it has; on bridges without any address it may not (arp_ignore of ip-sysctl). */
const ownBridge = (bridges: readonly JoinedBridge[], address: string): JoinedBridge | undefined =>
  bridges.find(({ bridge }) => hasNextHop(bridge, address)) ?? bridges.find(({ bridge }) => isAddressed(bridge));

/** Bridges that are joined, and what is looked for behind their ports, except the one by which the packet came. */
interface Search {
  bridges: readonly JoinedBridge[];
  from: NamespaceLink | undefined;
  nextHop: string;
}

const portsOf = (
  { links }: HostNamespace,
  { bridge }: JoinedBridge,
  from: NamespaceLink | undefined,
): NamespaceLink[] => links.filter((link) => link.masterIndex === bridge.index && link !== from);

function findPort(
  { namespaces }: HostTopology,
  namespace: HostNamespace,
  { bridges, from, nextHop }: Search,
): { port: NamespaceLink; other: HostNamespace; end: NamespaceLink; crossings: readonly Crossing[] } | undefined {
  for (const joined of bridges)
    for (const port of portsOf(namespace, joined, from)) {
      const other = namespaces.find(({ id }) => id === port.peer?.namespaceId);
      const end = other?.links.find(({ index }) => index === port.peer?.index);
      if (other && end && hasNextHop(end, nextHop)) return { port, other, end, crossings: joined.crossings };
    }
  return undefined;
}

/** By a port that leads elsewhere, if there is one. */
function leaveBridges(namespace: HostNamespace, search: Search, packet: TracePacket, hops: Hop[]): PathEnd {
  const { bridges, from, nextHop } = search;
  const end = { namespaceId: namespace.id, nextHop, packet };
  for (const joined of bridges) {
    const uplink = portsOf(namespace, joined, from).find(({ peer, kind }) => peer === undefined || kind === 'vxlan');
    if (uplink === undefined) continue;
    return cross(namespace, joined.crossings, packet, hops) ?? { kind: 'left', link: uplink.name, ...end };
  }
  const asked = bridges.find(({ bridge }) => isAddressed(bridge)) ?? bridges[0];
  return { kind: 'no-neighbour', link: asked?.bridge.name ?? '', ...end };
}

/** Through veth pairs to another bridge; the end of the path where an interface is down. */
function cross(
  namespace: HostNamespace,
  crossings: readonly Crossing[],
  packet: TracePacket,
  hops: Hop[],
): PathEnd | undefined {
  for (const { port, far, bridge } of crossings) {
    const down = [port, far, bridge].find(({ up }) => !up);
    hops.push(hopAt(namespace, { kind: 'link', name: port.name, direction: 'out', packet }));
    if (down !== undefined) return { kind: 'link-down', namespaceId: namespace.id, link: down.name, packet };
    hops.push(
      hopAt(namespace, { kind: 'link', name: far.name, direction: 'in', packet }),
      hopAt(namespace, { kind: 'bridge', name: bridge.name, packet }),
    );
  }
  return undefined;
}

function arrive(namespace: HostNamespace, link: NamespaceLink, packet: TracePacket, hops: Hop[]): Position {
  hops.push(hopAt(namespace, { kind: 'link', name: link.name, direction: 'in', packet }));
  return { namespace, input: link.name, packet };
}

const hasNextHop = ({ addresses }: NamespaceLink, address: string): boolean =>
  addresses.some((own) => withoutLength(own) === address);

const hasAddress = ({ links }: HostNamespace, address: string): boolean =>
  links.some((link) => hasNextHop(link, address));

/** The link of a kind that has an address, in any namespace. */
function ownerOf(
  topology: HostTopology,
  address: string,
  kind: string,
): { namespace: HostNamespace; link: NamespaceLink } | undefined {
  for (const namespace of topology.namespaces) {
    const link = namespace.links.find(
      (candidate) => candidate.kind === kind && candidate.addresses.some((own) => withoutLength(own) === address),
    );
    if (link) return { namespace, link };
  }
  return undefined;
}
