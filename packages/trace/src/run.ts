/**
 * Traces one packet: finds the ends, predicts the path, observes it with a real probe, and explains what happened. Changes
 * nothing but for the time of the probe: rule tracing of the probe's own packets, here and on the peer that it is for.
 */
import { messageOf } from '@netyard/core';
import type { HostNamespace } from '@netyard/topology';
import type { RemoteSide, TraceCase } from './explain/case.ts';
import { explain, explainEnds } from './explain/explain.ts';
import { withEvidence } from './hosts/remote-case.ts';
import type { FlowEvidence, PathEnd, ProbeResult, TraceRequest } from './model.ts';
import { askNeighbours } from './neighbours.ts';
import { type PreparedCase, predictCase, prepare } from './prepare.ts';
import { answerSteps, answerStepsOnPeer, stepsOf, stepsOnPeer, type TraceReport } from './report.ts';
import type { FlowSession, Observation, TraceTools } from './tools.ts';

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
  try {
    const isKnown = prepared.sender === undefined || explainEnds(prepared) !== undefined || options.dryRun;
    if (isKnown || prepared.sender === undefined) return reportOf(prepared, prepared.problems);
    return reportOf(await observe(tools, prepared, prepared.sender), prepared.problems);
  } finally {
    prepared.asked?.session.close();
  }
}

/** Sends the probe and collects what was seen of it. */
async function observe(tools: TraceTools, prepared: PreparedCase, sender: HostNamespace): Promise<TraceCase> {
  const probe = await tools.openProbe(sender, prepared.packet, prepared.request.size);
  try {
    const predicted = predictCase(prepared, sender, { ...prepared.packet, sourcePort: probe.sourcePort });
    const arming = armPeer(predicted);
    const namespaces = namespacesOf(predicted);
    const observation = await tools.arm(namespaces, predicted.packet, leavesObserved(namespaces, predicted.path));
    try {
      const peer = await arming;
      observation.start();
      const result = await probe.send(waitFor(predicted));
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      const collecting = collectPeer(peer, result);
      const seen = await collect(tools, predicted, observation, result);
      return joinPeer(seen, await collecting);
    } finally {
      observation.close();
    }
  } finally {
    probe.close();
  }
}

/** What the peer's part came to: a session that observes, or why there is none. */
type PeerPart = { session: FlowSession } | { problem: string } | undefined;

async function armPeer({ asked, remote }: PreparedCase): Promise<PeerPart> {
  if (asked === undefined || remote?.trace === undefined) return undefined;
  try {
    await asked.session.arm(remote.trace.packet);
    return { session: asked.session };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

async function collectPeer(
  part: PeerPart,
  result: ProbeResult,
): Promise<{ seen: FlowEvidence } | { problem: string } | undefined> {
  if (part === undefined || 'problem' in part) return part;
  try {
    return { seen: await part.session.collect(result) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function joinPeer(local: TraceCase, part: Awaited<ReturnType<typeof collectPeer>>): TraceCase {
  const { remote } = local;
  if (part === undefined || remote === undefined) return local;
  if ('seen' in part) return { ...local, remote: withEvidence(remote, local, part.seen) };
  const { trace: _, ...rest } = remote;
  return { ...local, remote: { ...rest, problem: part.problem } };
}

/** With what was seen, and who has the addresses on the way if nothing answered. */
export async function collect(
  tools: Pick<TraceTools, 'askNeighbour' | 'readConntrack'>,
  predicted: PreparedCase,
  observation: Pick<Observation, 'collect'>,
  result: ProbeResult,
): Promise<TraceCase> {
  const seen = await observation.collect();
  const { source } = result;
  const observed = { ...predicted, packet: { ...predicted.packet, ...(source === undefined ? {} : { source }) } };
  const isAnswered = result.outcome === 'answered';
  const neighbours = isAnswered ? [] : await askNeighbours(tools, observed, seen);
  const conntrack = isAnswered ? undefined : await tools.readConntrack();
  return { ...observed, evidence: { ...seen, probe: result, neighbours, ...(conntrack ? { conntrack } : {}) } };
}

/** A peer that was asked is there. */
const waitFor = ({ path: { end }, remote }: TraceCase): number =>
  needsNeighbour(end.kind) && remote?.trace === undefined ? neighbourWaitMs : answerWaitMs;

const needsNeighbour = (kind: PathEnd['kind']): boolean => kind === 'no-neighbour' || kind === 'left';

/** The host's namespace always: translated packets take ways that the prediction does not know. */
export function namespacesOf({ topology, from, to, path: { hops } }: TraceCase): HostNamespace[] {
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

export function reportOf(traced: TraceCase, problems: readonly string[]): TraceReport {
  const { topology, from, to, packet, evidence, remote } = traced;
  const own = answerSteps(traced);
  const there = remote?.trace;
  return {
    hostName: topology.hostName,
    from: from.text,
    to: to.text,
    packet,
    steps: [...stepsOf(traced), ...(there ? stepsOnPeer(there) : [])],
    answer: [...(there ? answerStepsOnPeer(there) : []), ...own],
    conclusion: explain(traced),
    ...(evidence === undefined ? {} : { evidence }),
    ...(remote === undefined ? {} : { peer: peerReport(remote) }),
    incomplete: [
      ...[...topology.problems, ...problems, ...(evidence?.incomplete ?? [])],
      ...[...(there?.topology.problems ?? []), ...(there?.evidence?.incomplete ?? [])].map(
        (problem) => `${remote?.peer.name}: ${problem}`,
      ),
    ],
  };
}

function peerReport({ peer, problem, trace: there }: RemoteSide): NonNullable<TraceReport['peer']> {
  const { name, address } = peer;
  return {
    ...{ name, address },
    ...(problem === undefined ? {} : { problem }),
    ...(there?.evidence === undefined ? {} : { evidence: there.evidence }),
  };
}
