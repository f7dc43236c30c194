/** Finds the ends of a trace and predicts its path, on this host and on the peer that it is for. Sends nothing. */
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { HostNamespace, HostTopology } from '@netyard/topology';
import { chooseAddress, findEnd } from './ends.ts';
import type { NameAnswer, RemoteSide, TraceCase } from './explain/case.ts';
import { findPeer, remoteCase, throughTunnel } from './hosts/remote-case.ts';
import type { Hop, PeerHost, PredictedPath, TraceEnd, TracePacket, TraceRequest } from './model.ts';
import { isOnParent, packetFromOutside, uplinkOf } from './outside.ts';
import { predictPath } from './predict.ts';
import { isIn, withoutLength } from './route-lookup.ts';
import type { FlowSession, TraceTools } from './tools.ts';

/** A peer that answers: its session must be closed. */
export interface AskedPeer {
  peer: PeerHost;
  session: FlowSession;
  /** Container, `host` or address. */
  target: string;
}

export interface PreparedCase extends TraceCase {
  sender: HostNamespace | undefined;
  asked?: AskedPeer;
  /** What is not known of the peers, a sentence each. */
  problems: string[];
}

export async function prepare(tools: TraceTools, request: TraceRequest): Promise<PreparedCase> {
  const topology = await tools.observe();
  const from = findEnd(topology, request.from);
  if (from?.isOutside) return prepareFromOutside(request, topology, from);
  if (from === undefined || (from.container === undefined && from.namespace === undefined)) {
    throw new NetyardError('not-found', `no such container or namespace on this host: ${request.from}`, {
      hint: 'netyard topology lists the containers of all engines',
    });
  }
  const known = findEnd(topology, request.to);
  const asked = known === undefined ? await askNamed(tools, request) : undefined;
  try {
    return await prepareBetween(tools, request, { topology, from, known, asked });
  } catch (error) {
    asked?.session.close();
    throw error;
  }
}

interface Known {
  topology: HostTopology;
  from: TraceEnd;
  known: TraceEnd | undefined;
  asked: AskedPeer | undefined;
}

async function prepareBetween(
  tools: TraceTools,
  request: TraceRequest,
  { topology, from, known, asked }: Known,
): Promise<PreparedCase> {
  const sender = from.namespace;
  const name =
    asked || known?.isOutside ? undefined : await resolveAs(tools, from, request.to, known?.container !== undefined);
  const to = known ?? (asked ? endOnPeer(request, asked) : endOfName(request, name));
  const resolved = name?.addresses.filter((one) => to.addresses.includes(one)) ?? [];
  const candidates = resolved.length > 0 ? resolved : to.addresses;
  const address = sender === undefined ? candidates[0] : chooseAddress(sender, candidates, request.family);
  if (address === undefined && to.container?.state === 'running') throw withoutAddress(request);
  if (to.container === undefined && address !== undefined) checkUnicast(address);
  const packet: TracePacket = {
    protocol: request.protocol,
    destination: address ?? '0.0.0.0',
    ...(request.port === undefined ? {} : { destinationPort: request.port }),
  };
  const { container: _, ...place } = to;
  const end = asked ? place : to;
  const path = { hops: [], end: { kind: 'no-route', namespaceId: '', packet } as const };
  const base = { request, topology, from, to: end, packet, path, sender, problems: [], ...(name ? { name } : {}) };
  if (asked === undefined && (sender === undefined || address === undefined)) return base;
  if (asked) return predictCase({ ...base, asked }, sender, packet, address !== undefined);
  if (sender === undefined) return base;
  return predictCase({ ...base, ...(await askByAddress(tools, base, sender)) }, sender, packet);
}

/** Nothing can be sent from outside: the path is predicted from the uplink on. */
function prepareFromOutside(request: TraceRequest, topology: HostTopology, from: TraceEnd): PreparedCase {
  const to = findEnd(topology, request.to);
  if (to === undefined || to.isOutside)
    throw new NetyardError('invalid', `no container and no address of this host: ${request.to}`, {
      hint: 'from outside, a trace is for a container, host, or an address',
    });
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const packet = packetFromOutside(topology, to, request);
  const { protocol, port } = request;
  const none: TracePacket = {
    protocol,
    destination: to.addresses[0] ?? '0.0.0.0',
    ...(port ? { destinationPort: port } : {}),
  };
  const sender = undefined;
  const base = { request, topology, from: { ...from, addresses: [] }, to, sender, problems: [] };
  if (host === undefined || packet === undefined)
    return {
      ...base,
      packet: none,
      path: { hops: [], end: { kind: 'no-route', namespaceId: host?.id ?? '', packet: none } },
    };
  return { ...base, packet, path: pathFromOutside(topology, host, packet) };
}

/** `link`: by which it comes in. */
export function pathFromOutside(
  topology: HostTopology,
  host: HostNamespace,
  packet: TracePacket,
  link = uplinkOf(topology, packet.destination.includes(':') ? 6 : 4)?.link ?? 'uplink',
): PredictedPath {
  const direct = topology.namespaces.flatMap((namespace) =>
    namespace.links
      .filter((one) => isOnParent(one) && one.addresses.some((own) => withoutLength(own) === packet.destination))
      .map(({ name }) => ({ namespace, name })),
  )[0];
  const { hops, end } = predictPath(topology, direct?.namespace ?? host, packet, direct?.name ?? link);
  const entry: Hop = { namespaceId: host.id, place: host.name, kind: 'link', name: link, direction: 'in', packet };
  return { hops: [entry, ...hops], end };
}

/** The paths of the packet. `hasAddress`: of a target that does not run, only its state is known. */
export function predictCase(
  prepared: PreparedCase,
  sender: HostNamespace | undefined,
  packet: TracePacket,
  hasAddress = true,
): PreparedCase {
  const { asked, topology } = prepared;
  const peer = asked?.peer ?? prepared.remote?.peer;
  const local = sender && hasAddress ? predictPath(topology, sender, packet) : prepared.path;
  const path = peer === undefined ? local : throughTunnel(topology, local, peer);
  const predicted = { ...prepared, packet, path };
  if (asked === undefined) return predicted;
  const { view } = asked.session;
  const there = remoteCase(predicted, { peer: asked.peer, view, target: asked.target });
  const remote: RemoteSide =
    there === undefined
      ? { peer: asked.peer, knownHosts: [], problem: 'it does not show its own namespace' }
      : { peer: asked.peer, knownHosts: view.peers, trace: there };
  return { ...predicted, remote };
}

/** The target `PEER/NAME`. Throws when the peer cannot be asked: only the peer knows the name. */
async function askNamed({ peers }: TraceTools, request: TraceRequest): Promise<AskedPeer | undefined> {
  const [, name, target] = /^([^/]+)\/(.+)$/s.exec(request.to) ?? [];
  if (name === undefined || target === undefined || peers === undefined) return undefined;
  const peer = (await peers.list()).find((each) => each.name === name);
  if (peer === undefined) return undefined;
  return { peer, target, session: await peers.ask(peer, flowRequest(request, target)) };
}

const flowRequest = ({ protocol, port }: TraceRequest, target: string) => ({
  ...{ target, protocol },
  ...(port === undefined ? {} : { port }),
});

/** The peer that a packet leaves for. One that cannot be asked ends no trace. */
async function askByAddress(
  { peers }: TraceTools,
  { topology, packet, request }: TraceCase,
  sender: HostNamespace,
): Promise<Pick<PreparedCase, 'asked' | 'remote' | 'problems'>> {
  const { end } = predictPath(topology, sender, packet);
  if (peers === undefined || (end.kind !== 'left' && end.kind !== 'no-route')) return { problems: [] };
  const { destination } = end.packet;
  try {
    const peer = findPeer(await peers.list(), destination);
    if (peer === undefined) return { problems: [] };
    if (end.kind === 'no-route') return { problems: [], remote: { peer, knownHosts: [] } };
    try {
      const session = await peers.ask(peer, flowRequest(request, destination));
      return { problems: [], asked: { peer, session, target: destination } };
    } catch (error) {
      const hint = isNetyardError(error) && error.hint !== undefined ? { hint: error.hint } : {};
      return { problems: [], remote: { peer, knownHosts: [], problem: messageOf(error), ...hint } };
    }
  } catch (error) {
    return { problems: [`the peers of this host are not known: ${messageOf(error)}`] };
  }
}

/** The addresses of a container of a peer that are reached from here. */
function endOnPeer({ to: text }: TraceRequest, { peer, session, target }: AskedPeer): TraceEnd {
  const end = findEnd(session.view.topology, target);
  if (end?.container === undefined)
    return { text, addresses: target === 'host' ? [peer.address] : (end?.addresses ?? []) };
  const { container, addresses } = end;
  const reachable = addresses.filter((address) => peer.subnets.some((subnet) => isIn(address, subnet)));
  if (reachable.length > 0 || addresses.length === 0) return { text, container, addresses: reachable };
  throw new NetyardError(
    'invalid',
    `${container.name} on ${peer.name} has no address in the subnets of the peer (${peer.subnets.join(', ')}): ${addresses.join(', ')}`,
    { hint: `trace to a published port at ${peer.address}, or add the subnet of its network to the peer` },
  );
}

/** Throws `invalid` for addresses that no single host has. */
function checkUnicast(address: string): void {
  const isUnicast = !/^(0\.0\.0\.0$|22[4-9]\.|23\d\.|255\.255\.255\.255$|::$|ff)/i.test(address);
  if (isUnicast) return;
  throw new NetyardError('invalid', `${address} is not the address of one host`, {
    hint: 'a trace follows unicast packets: no broadcast, multicast or unspecified addresses',
  });
}

/** Addresses are not resolved. */
async function resolveAs(
  tools: TraceTools,
  from: TraceEnd,
  text: string,
  isContainer: boolean,
): Promise<NameAnswer | undefined> {
  if (from.namespace === undefined || /^[\d.]+$|:|\//.test(text) || text === 'host') return undefined;
  return await tools.resolve(from, text, isContainer);
}

function endOfName(request: TraceRequest, name: NameAnswer | undefined): TraceEnd {
  if (name !== undefined && name.addresses.length > 0) return { text: request.to, addresses: name.addresses };
  throw new NetyardError('not-found', `${request.from} cannot resolve ${request.to}, and no container has this name`, {
    hint: 'netyard topology lists the containers of all engines, netyard peer ls the hosts of PEER/CONTAINER',
  });
}

const withoutAddress = ({ to, family }: TraceRequest): NetyardError =>
  new NetyardError('invalid', `${to} has no ${family === undefined ? '' : `IPv${family} `}address`, {
    hint:
      family === 6
        ? 'networks have IPv6 when they are created with --ipv6'
        : 'a container in the network mode none or host has none of its own: trace to the address of the host',
  });
