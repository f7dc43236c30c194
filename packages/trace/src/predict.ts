/**
 * Predicts the way of a packet through the namespaces of a host: routes, bridges, veth pairs, published ports. Firewall
 * rules are not evaluated: the trace shows what they decide. Pure.
 */
import type { HostNamespace, HostTopology, ListeningSocket, NamespaceLink } from '@netyard/topology';
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
  if (link.kind === 'bridge') {
    hops.push(hopAt(namespace, { kind: 'bridge', name: link.name, packet }));
    return acrossBridge(topology, position, link, undefined, nextHop, hops);
  }
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
  hops.push(hopAt(other, { kind: 'bridge', name: bridge.name, packet }));
  const position = { namespace: other, input: bridge.name, packet };
  if (hasAddress(other, nextHop)) return position;
  return acrossBridge(topology, position, bridge, end, nextHop, hops);
}

/** From a bridge to the port behind which `nextHop` is. */
function acrossBridge(
  topology: HostTopology,
  { namespace, packet }: Position,
  bridge: NamespaceLink,
  from: NamespaceLink | undefined,
  nextHop: string,
  hops: Hop[],
): Step {
  const ports = namespace.links.filter((link) => link.masterIndex === bridge.index && link !== from);
  for (const port of ports) {
    const other = topology.namespaces.find(({ id }) => id === port.peer?.namespaceId);
    const end = other?.links.find(({ index }) => index === port.peer?.index);
    if (other === undefined || end === undefined || !end.addresses.some((own) => withoutLength(own) === nextHop))
      continue;
    hops.push(hopAt(namespace, { kind: 'link', name: port.name, direction: 'out', packet }));
    if (!port.up || !end.up) return { kind: 'link-down', namespaceId: namespace.id, link: port.name, packet };
    return arrive(other, end, packet, hops);
  }
  const uplink = ports.find(({ peer, kind }) => peer === undefined || kind === 'vxlan');
  const end = { namespaceId: namespace.id, nextHop, packet };
  return uplink === undefined
    ? { kind: 'no-neighbour', link: bridge.name, ...end }
    : { kind: 'left', link: uplink.name, ...end };
}

function arrive(namespace: HostNamespace, link: NamespaceLink, packet: TracePacket, hops: Hop[]): Position {
  hops.push(hopAt(namespace, { kind: 'link', name: link.name, direction: 'in', packet }));
  return { namespace, input: link.name, packet };
}

const hasAddress = (namespace: HostNamespace, address: string): boolean =>
  namespace.links.some(({ addresses }) => addresses.some((own) => withoutLength(own) === address));

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
