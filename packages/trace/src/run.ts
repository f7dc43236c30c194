/**
 * Traces one packet: finds the ends, predicts the path, observes it with a real probe, and explains what happened. Changes
 * nothing but for the time of the probe: rule tracing of the probe's own packets.
 */
import { messageOf, NetyardError } from '@netyard/core';
import type { HostNamespace, HostTopology } from '@netyard/topology';
import { chooseAddress, findEnd } from './ends.ts';
import type { NameAnswer, TraceCase } from './explain/case.ts';
import { explain, explainEnds } from './explain/explain.ts';
import type { NeighbourCheck, Sighting, TraceEnd, TracePacket, TraceRequest } from './model.ts';
import { predictPath } from './predict.ts';
import { answerSteps, stepsOf, type TraceReport } from './report.ts';
import { lookUpRoute } from './route-lookup.ts';
import type { TraceTools } from './tools.ts';

export interface TraceOptions {
  /** Predict only: send nothing and observe nothing on the way. */
  dryRun?: boolean;
}

/** How long an answer is waited for; a sender without neighbour gives up after 3 s. */
const answerWaitMs = 1200;
const neighbourWaitMs = 3300;
/** Events of the last packets arrive after the answer. */
const settleMs = 30;

/** Throws `not-found` for an unknown end, `invalid` for a request that cannot be sent. */
export async function trace(
  tools: TraceTools,
  request: TraceRequest,
  options: TraceOptions = {},
): Promise<TraceReport> {
  const prepared = await prepare(tools, request);
  if (prepared.sender === undefined || explainEnds(prepared) !== undefined || options.dryRun) return reportOf(prepared);
  return reportOf(await observe(tools, prepared, prepared.sender));
}

interface PreparedCase extends TraceCase {
  sender: HostNamespace | undefined;
}

async function prepare(tools: TraceTools, request: TraceRequest): Promise<PreparedCase> {
  const topology = await tools.observe();
  const from = findEnd(topology, request.from);
  if (from === undefined || (from.container === undefined && from.namespace === undefined)) {
    throw new NetyardError('not-found', `no such container or namespace on this host: ${request.from}`, {
      hint: 'netyard topology lists the containers of all engines',
    });
  }
  const sender = from.namespace;
  const known = findEnd(topology, request.to);
  const name = await resolveAs(tools, from, request.to, known?.container !== undefined);
  const to = known ?? endOfName(request, name);
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
  const path =
    sender === undefined || address === undefined
      ? { hops: [], end: { kind: 'no-route', namespaceId: '', packet } as const }
      : predictPath(topology, sender, packet);
  return { request, topology, from, to, packet, path, sender, ...(name ? { name } : {}) };
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
    hint: 'netyard topology lists the containers of all engines',
  });
}

const withoutAddress = ({ to, family }: TraceRequest): NetyardError =>
  new NetyardError('invalid', `${to} has no ${family === undefined ? '' : `IPv${family} `}address`, {
    hint:
      family === 6
        ? 'networks have IPv6 when they are created with --ipv6'
        : 'a container in the network mode none or host has none of its own: trace to the address of the host',
  });

/** Sends the probe and collects what was seen of it. */
async function observe(tools: TraceTools, prepared: PreparedCase, sender: HostNamespace): Promise<TraceCase> {
  const probe = await tools.openProbe(sender, prepared.packet, prepared.request.size);
  try {
    const packet = { ...prepared.packet, sourcePort: probe.sourcePort };
    const path = predictPath(prepared.topology, sender, packet);
    const namespaces = namespacesOf(prepared, path.hops);
    const observation = await tools.arm(namespaces, packet, leavesObserved(namespaces, path));
    try {
      observation.start();
      const result = await probe.send(needsNeighbour(path.end.kind) ? neighbourWaitMs : answerWaitMs);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      const seen = await observation.collect();
      const { source } = result;
      const observed = { ...prepared, packet: { ...packet, ...(source === undefined ? {} : { source }) }, path };
      const isAnswered = result.outcome === 'answered';
      const neighbours = isAnswered ? [] : await askNeighbours(tools, observed, seen);
      const conntrack = isAnswered ? undefined : await tools.readConntrack();
      const evidence = { ...seen, probe: result, neighbours, ...(conntrack ? { conntrack } : {}) };
      return { ...observed, evidence };
    } finally {
      observation.close();
    }
  } finally {
    probe.close();
  }
}

const needsNeighbour = (kind: TraceCase['path']['end']['kind']): boolean => kind === 'no-neighbour' || kind === 'left';

/** The host's namespace always: translated packets take ways that the prediction does not know. */
function namespacesOf({ topology, from, to }: TraceCase, hops: TraceCase['path']['hops']): HostNamespace[] {
  const ids = new Set(hops.map(({ namespaceId }) => namespaceId));
  for (const end of [from, to]) if (end.namespace) ids.add(end.namespace.id);
  return topology.namespaces.filter(({ id, isHost }) => isHost || ids.has(id));
}

/** Whether a link on the way sends to where nothing is observed, so that only the link itself shows what it sends. */
const leavesObserved = (namespaces: readonly HostNamespace[], { hops, end }: TraceCase['path']): boolean =>
  end.kind === 'left' ||
  hops.some(({ kind, direction, namespaceId, name }) => {
    if (kind !== 'link' || direction !== 'out' || name === 'lo') return false;
    const links = namespaces.find(({ id }) => id === namespaceId)?.links ?? [];
    const peer = links.find((link) => link.name === name)?.peer;
    return !namespaces.some(({ id }) => id === peer?.namespaceId);
  });

interface NeighbourQuestion {
  namespace: HostNamespace;
  link: string;
  address: string;
}

/**
 * Who has the addresses of the next hops on the last link, and on the first one if nothing left it. Links without MACs, such
 * as those of WireGuard, and namespaces that have ended are not asked.
 */
async function askNeighbours(
  tools: TraceTools,
  { topology, path, from, packet }: TraceCase,
  { sightings, incomplete }: { sightings: readonly Sighting[]; incomplete: string[] },
): Promise<NeighbourCheck[]> {
  const first = sightings.length > 0 || from.namespace === undefined ? undefined : firstLink(from.namespace, packet);
  const last = lastLink(topology, path);
  const questions = [first, last].filter((question) => question !== undefined);
  const checks = await Promise.all(
    questions.map(({ namespace, link, address }) =>
      tools.askNeighbour(namespace, link, address).catch((error: unknown) => {
        const problem = `who has ${address} on ${link} of ${namespace.name} cannot be asked: ${messageOf(error)}`;
        if (!incomplete.includes(problem)) incomplete.push(problem);
        return undefined;
      }),
    ),
  );
  return checks.filter((check) => check !== undefined);
}

function firstLink(namespace: HostNamespace, { destination }: TracePacket): NeighbourQuestion | undefined {
  const route = lookUpRoute(namespace, destination);
  if (route?.link === undefined || route.type !== 'unicast') return undefined;
  return { namespace, link: route.link, address: route.via ?? destination };
}

function lastLink(topology: HostTopology, { hops, end }: TraceCase['path']): NeighbourQuestion | undefined {
  const find = (id: string): HostNamespace | undefined => topology.namespaces.find((namespace) => namespace.id === id);
  if (end.kind === 'no-neighbour' || end.kind === 'left') {
    const namespace = find(end.namespaceId);
    return namespace && { namespace, link: end.link, address: end.nextHop };
  }
  const bridge = hops.findLast(({ kind }) => kind === 'bridge');
  const namespace = bridge && find(bridge.namespaceId);
  return bridge && namespace && { namespace, link: bridge.name, address: end.packet.destination };
}

function reportOf(traced: TraceCase): TraceReport {
  const { topology, from, to, packet, path, evidence } = traced;
  return {
    hostName: topology.hostName,
    from: from.text,
    to: to.text,
    packet,
    steps: stepsOf(topology, path, evidence),
    answer: evidence === undefined ? [] : answerSteps(topology, evidence),
    conclusion: explain(traced),
    ...(evidence === undefined ? {} : { evidence }),
    incomplete: [...topology.problems, ...(evidence?.incomplete ?? [])],
  };
}
