/** Joins the parts of a path on two hosts: where it leaves this one, and where it enters the peer. Pure. */
import type { HostNamespace, HostTopology } from '@netyard/topology';
import { findEnd } from '../ends.ts';
import type { RemoteSide, TraceCase } from '../explain/case.ts';
import type {
  FlowEvidence,
  Hop,
  PathEnd,
  PeerHost,
  PredictedPath,
  ProbeResult,
  Sighting,
  TraceEnd,
  TracePacket,
} from '../model.ts';
import { predictPath } from '../predict.ts';
import { isIn, lookUpRoute, withoutLength } from '../route-lookup.ts';
import type { PeerView } from '../tools.ts';

/** The peer that a packet is for: by the subnets of its containers, or by its own address. */
export const findPeer = (peers: readonly PeerHost[], destination: string): PeerHost | undefined =>
  peers.find(({ address }) => address === destination) ??
  peers.find(({ subnets }) => subnets.some((subnet) => isIn(destination, subnet)));

/** A path that leaves by the tunnel to a peer, continued to the uplink. Other paths as they are. */
export function throughTunnel(topology: HostTopology, path: PredictedPath, peer: PeerHost): PredictedPath {
  const { end, hops } = path;
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const tunnel = host?.links.find(({ name, kind }) => kind === 'vxlan' && end.kind === 'left' && name === end.link);
  const outer = host && lookUpRoute(host, peer.address);
  if (end.kind !== 'left' || host === undefined || tunnel === undefined || outer?.link === undefined) return path;
  const here = { namespaceId: host.id, place: host.name, packet: end.packet };
  const added: Hop[] = [
    { ...here, kind: 'tunnel', name: `vxlan to ${peer.address}` },
    { ...here, kind: 'link', name: outer.link, direction: 'out' },
  ];
  const next: PathEnd = { ...end, link: outer.link, nextHop: outer.via ?? peer.address };
  return { hops: [...hops, ...added], end: next };
}

/** The case on the peer, without evidence. Undefined when the peer does not show its own namespace. */
export function remoteCase(
  trace: TraceCase,
  { peer, view, target }: { peer: PeerHost; view: PeerView; target: string },
): TraceCase | undefined {
  // The user knows the host by the peer's name.
  const topology = { ...view.topology, hostName: peer.name };
  const host = topology.namespaces.find(({ isHost }) => isHost);
  if (host === undefined) return undefined;
  const packet = arrivingPacket(trace);
  const arrival = arrivalAt(host, trace, peer);
  const path = predictPath(topology, host, packet, arrival.at(-1) ?? 'uplink');
  const hops = arrival.map(
    (name): Hop => ({ namespaceId: host.id, place: host.name, kind: 'link', name, direction: 'in', packet }),
  );
  return {
    request: trace.request,
    topology,
    from: { text: trace.from.text, addresses: packet.source === undefined ? [] : [packet.source] },
    to: remoteEnd(trace.to.text, topology, target, packet.destination),
    packet,
    path: { ...path, hops: [...hops, ...path.hops] },
  };
}

/** As it leaves this host. */
const arrivingPacket = ({ path, packet }: TraceCase): TracePacket => ({
  ...path.end.packet,
  ...(packet.source === undefined ? {} : { source: packet.source }),
  ...(packet.sourcePort === undefined ? {} : { sourcePort: packet.sourcePort }),
});

/** The interfaces by which it enters: the uplink towards this host, and the tunnel if it leaves by one. */
function arrivalAt(host: HostNamespace, { path, packet }: TraceCase, { path: way }: PeerHost): string[] {
  const uplink = way && lookUpRoute(host, way.local)?.link;
  const isTunnelled = path.hops.some(({ kind }) => kind === 'tunnel');
  const back = packet.source === undefined ? undefined : lookUpRoute(host, packet.source)?.link;
  const tunnels = host.links.filter(({ kind }) => kind === 'vxlan').map(({ name }) => name);
  const tunnel = isTunnelled ? (tunnels.find((name) => name === back) ?? tunnels[0]) : undefined;
  return [uplink, tunnel].filter((name) => name !== undefined);
}

function remoteEnd(text: string, topology: HostTopology, target: string, destination: string): TraceEnd {
  const named = findEnd(topology, target);
  if (named?.container ?? named?.namespace) return { ...named, text, addresses: named?.addresses ?? [] };
  const container = topology.containers.find(({ attachments }) =>
    attachments.some(({ addresses }) => addresses.some((own) => withoutLength(own) === destination)),
  );
  return { text, addresses: [destination], ...(container ? { container } : {}) };
}

/** With what the peer observed, in this host's time. */
export function withEvidence(side: RemoteSide, local: TraceCase, seen: FlowEvidence): RemoteSide {
  const { trace } = side;
  const { evidence: own } = local;
  if (trace === undefined || own === undefined) return side;
  const shift = clockDifference(own.sightings, seen.sightings);
  const moved = <T extends { atMs: number }>(events: readonly T[]): T[] =>
    events.map((event) => ({ ...event, atMs: event.atMs + shift }));
  const evidence = {
    ...seen,
    sightings: moved(seen.sightings),
    verdicts: moved(seen.verdicts),
    drops: moved(seen.drops),
    probe: own.probe satisfies ProbeResult,
  };
  const { source } = local.packet;
  const packet = { ...trace.packet, ...(source ? { source } : {}) };
  return { ...side, trace: { ...trace, packet, evidence, observed: local.observed ?? 'rules' } };
}

/**
 * What to add to the peer's times. Clocks of two hosts are not compared: the packet and its answer are taken to need the
 * same time between the hosts; without an answer, none.
 */
function clockDifference(own: readonly Sighting[], theirs: readonly Sighting[]): number {
  const [left, returned] = [lastSeen(own, false)?.atMs, own.find(({ isAnswer }) => isAnswer)?.atMs];
  const [came, answered] = [theirs.find(({ isAnswer }) => !isAnswer)?.atMs, lastSeen(theirs, true)?.atMs];
  if (left === undefined || came === undefined) return 0;
  const away = returned === undefined || answered === undefined ? 0 : returned - left - (answered - came);
  return left - came + Math.max(0, away) / 2;
}

/** Where the first packet of a direction was seen last: later ones are repetitions and further packets. */
function lastSeen(sightings: readonly Sighting[], isAnswer: boolean): Sighting | undefined {
  const places = new Map<string, Sighting>();
  for (const seen of sightings) {
    const place = `${seen.namespaceId} ${seen.link}`;
    if (seen.isAnswer === isAnswer && !places.has(place)) places.set(place, seen);
  }
  return [...places.values()].at(-1);
}
