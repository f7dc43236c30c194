/**
 * Traces one packet: finds the ends, predicts the path, observes it with a real probe, and explains what happened. Rules are
 * traced, which makes other traffic slower, for a second probe only: when the first one is not answered as predicted. Changes
 * nothing but for the time of the probe: rule tracing of the probe's own packets, here and on the peer that it is for.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { HostNamespace } from '@netyard/topology';
import type { RemoteSide, TraceCase } from './explain/case.ts';
import { explain, explainEnds } from './explain/explain.ts';
import { type FirstProbe, sendFirst } from './first-probe.ts';
import { flightTime, hasLeft, isIncomplete, shortFlight } from './flight.ts';
import type { PathEnd, ProbeResult, TraceRequest } from './model.ts';
import { askNeighbours } from './neighbours.ts';
import { leavesObserved, namespacesOf } from './observed-namespaces.ts';
import { armPeer, collectPeer, joinPeer } from './peer-part.ts';
import { type PreparedCase, predictCase, prepare } from './prepare.ts';
import { answerSteps, answerStepsOnPeer, stepsOf, stepsOnPeer, type TraceReport } from './report.ts';
import type { Observation, Probe, TraceTools } from './tools.ts';

export interface TraceOptions {
  /** Predict only: send nothing and observe nothing on the way. */
  dryRun?: boolean;
  /** Observe everything at once, so that rules are known when the target is reached, too. */
  full?: boolean;
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
    return reportOf(await observe(tools, prepared, prepared.sender, options), prepared.problems);
  } finally {
    prepared.asked?.session.close();
  }
}

/** What is for outside cannot be answered: only a full observation shows whether it left. */
async function observe(
  tools: TraceTools,
  prepared: PreparedCase,
  sender: HostNamespace,
  { full = false }: TraceOptions,
): Promise<TraceCase> {
  if (full || prepared.to.isOutside) return await observeAll(tools, prepared, sender);
  const first = await sendFirst(tools, prepared, sender);
  try {
    return (await first.waitForAnswer()) ?? (await observeAll(tools, prepared, sender, first));
  } finally {
    first.close();
  }
}

/**
 * Observes everything while the probe is on its way, and again, until the end, if that was too short. A peer observes one
 * probe only.
 */
async function observeAll(
  tools: TraceTools,
  prepared: PreparedCase,
  sender: HostNamespace,
  first?: FirstProbe,
): Promise<TraceCase> {
  const { traced, flightMs } = await observeOnce(tools, prepared, sender, { first });
  if (traced.observed !== 'rules' || flightMs === undefined || !isIncomplete(traced, flightMs)) return traced;
  if (traced.remote?.trace === undefined)
    return (await observeOnce(tools, prepared, sender, { first, isLong: true })).traced;
  return withProblem(traced, shortFlight(flightMs));
}

const withProblem = (traced: TraceCase, problem: string): TraceCase =>
  traced.evidence === undefined
    ? traced
    : { ...traced, evidence: { ...traced.evidence, incomplete: [...traced.evidence.incomplete, problem] } };

interface Observed {
  traced: TraceCase;
  /** When the complete observation ended before the probe's result; undefined if it did not. */
  flightMs?: number;
}

/** Sends a probe, and collects all that was seen of it. A late answer to the first probe counts. */
async function observeOnce(
  tools: TraceTools,
  prepared: PreparedCase,
  sender: HostNamespace,
  { first, isLong = false }: { first: FirstProbe | undefined; isLong?: boolean },
): Promise<Observed> {
  const probe = await tools.openProbe(sender, prepared.packet, prepared.request.size);
  try {
    const predicted = predictCase(prepared, sender, { ...prepared.packet, sourcePort: probe.sourcePort });
    const arming = armPeer(predicted);
    const namespaces = namespacesOf(predicted);
    const observation = await tools.arm(namespaces, predicted.packet, leavesObserved(namespaces, predicted.path));
    try {
      const peer = await arming;
      const before = await first?.lateAnswer();
      if (before !== undefined) return { traced: before };
      const flight = isLong ? undefined : flightTime(predicted, await first?.peek());
      const { result, flightMs } = await sendObserved(probe, predicted, { observation, first, flight });
      const meanwhile = result.outcome === 'answered' ? undefined : await first?.lateAnswer(result);
      if (meanwhile !== undefined) return { traced: meanwhile };
      if (flightMs === undefined) await pause(settleMs);
      observation.reduce();
      const collecting = collectPeer(peer, result);
      const seen = await collect(tools, predicted, observation, result);
      return { traced: joinPeer(seen, await collecting), ...(flightMs === undefined ? {} : { flightMs }) };
    } finally {
      observation.close();
    }
  } finally {
    probe.close();
  }
}

/** Sends the probe; reduces what is observed, or ends the wait for what cannot be answered, after its flight. */
async function sendObserved(
  probe: Probe,
  predicted: PreparedCase,
  {
    observation,
    first,
    flight,
  }: { observation: Observation; first: FirstProbe | undefined; flight: number | undefined },
): Promise<{ result: ProbeResult; flightMs?: number }> {
  const enough = new AbortController();
  observation.start();
  const sending = probe.send(waitFor(predicted), enough.signal);
  sending.catch(() => undefined); // awaited below, unless reading what was seen fails before
  if (flight === undefined || (await isOverWithin(sending, flight))) return { result: await sending };
  if (predicted.to.isOutside && hasLeft(predicted, await observation.peek())) {
    enough.abort();
    return { result: await sending };
  }
  observation.reduce();
  first?.reduce();
  return { result: await sending, flightMs: flight };
}

async function isOverWithin(sending: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(ms, false, { signal: timer.signal }).catch(() => true);
  const isOver = await Promise.race([sending.then(() => true), late]);
  timer.abort();
  return isOver;
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
  const evidence = { ...seen, probe: result, neighbours, ...(conntrack ? { conntrack } : {}) };
  return { ...observed, evidence, observed: 'rules' };
}

/** A peer that was asked is there. */
const waitFor = ({ path: { end }, remote }: TraceCase): number =>
  needsNeighbour(end.kind) && remote?.trace === undefined ? neighbourWaitMs : answerWaitMs;

const needsNeighbour = (kind: PathEnd['kind']): boolean => kind === 'no-neighbour' || kind === 'left';

export function reportOf(traced: TraceCase, problems: readonly string[]): TraceReport {
  const { topology, from, to, packet, evidence, observed, remote } = traced;
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
    ...(evidence === undefined || observed === undefined ? {} : { observed, evidence }),
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
