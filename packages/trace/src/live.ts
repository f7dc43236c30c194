/** Traces a packet that another program sends, instead of a probe. Sends nothing but, at its end, questions about neighbours. */
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import { findEnd } from './ends.ts';
import { nameOf, type TraceCase } from './explain/case.ts';
import { explainBefore } from './explain/explain.ts';
import { isStart, liveMatch, packetOfFlow, resultOf } from './live-flow.ts';
import { flowOf } from './live-observation.ts';
import type { ProbeResult, TraceRequest } from './model.ts';
import { namespacesOf } from './observed-namespaces.ts';
import { type PreparedCase, pathFromOutside, predictCase, prepare } from './prepare.ts';
import type { TraceReport } from './report.ts';
import { collect, reportOf } from './run.ts';
import type { LiveObservation, LivePacket, TraceTools } from './tools.ts';

export interface LiveOptions {
  /** How long a packet is waited for. Default: without end. */
  timeoutMs?: number;
  /** Called when everything is observed: packets sent from now on are seen. */
  onReady?(): void;
}

const pollMs = 50;
/** A program sends a SYN again after one second. */
const answerWaitMs = 1500;
const settleMs = 30;

/** Follows the first connection, ping or datagram from one end to the other. Throws as `trace` does. */
export async function traceLive(
  tools: TraceTools,
  request: TraceRequest,
  { timeoutMs = Number.POSITIVE_INFINITY, onReady }: LiveOptions = {},
): Promise<TraceReport> {
  if (request.port === undefined && request.protocol !== 'icmp')
    throw new NetyardError('invalid', 'traffic of tcp and udp is selected by a port');
  const { peers: _, ...here } = tools;
  const prepared = await prepare(here, request);
  if (explainBefore(prepared) !== undefined) return reportOf(prepared, prepared.problems);
  const observation = await tools.armLive(namespacesOf(prepared), liveMatch(prepared));
  try {
    onReady?.();
    const first = await waitForStart(prepared, observation, performance.now() + timeoutMs);
    if (first === undefined) return withoutTraffic(prepared, timeoutMs);
    return reportOf(await follow(here, prepared, observation, first), prepared.problems);
  } finally {
    observation.close();
  }
}

/** A packet, and what was seen together with it. */
interface Start {
  first: LivePacket;
  seen: LivePacket[];
}

async function waitForStart(
  prepared: PreparedCase,
  observation: LiveObservation,
  deadline: number,
): Promise<Start | undefined> {
  for (;;) {
    const seen = await observation.poll();
    const first = seen.find((packet) => isStart(prepared, packet));
    if (first !== undefined) return { first, seen };
    observation.forget();
    const rest = deadline - performance.now();
    if (rest <= 0) return undefined;
    await pause(Math.min(pollMs, rest));
  }
}

async function follow(
  tools: TraceTools,
  prepared: PreparedCase,
  observation: LiveObservation,
  { first, seen }: Start,
): Promise<TraceCase> {
  const result = await waitForAnswer(prepared, observation, { first, seen });
  await pause(settleMs);
  const packet = packetOfFlow(first.packet.headers);
  // What the host had when the trace began may be long ago.
  const topology = result.outcome === 'answered' ? prepared.topology : await tools.observe();
  const { from, to } = prepared;
  const now = {
    ...{ ...prepared, topology, packet },
    ...{ from: from.isOutside ? from : (findEnd(topology, from.text) ?? from), to: findEnd(topology, to.text) ?? to },
  };
  const host = topology.namespaces.find(({ isHost }) => isHost);
  const predicted =
    from.isOutside && host
      ? { ...now, path: pathFromOutside(topology, host, packet, first.packet.link) }
      : predictCase(now, now.from.namespace, packet);
  return await collect(tools, predicted, { collect: () => observation.collect(first) }, result);
}

async function waitForAnswer(
  prepared: PreparedCase,
  observation: LiveObservation,
  { first, seen }: Start,
): Promise<ProbeResult> {
  const flow = flowOf(liveMatch(prepared), first.packet.headers);
  const deadline = performance.now() + answerWaitMs;
  for (let packets = seen; ; packets = await observation.poll()) {
    const result = resultOf(prepared, flow, first, packets);
    if (result !== undefined) return result;
    if (performance.now() > deadline)
      return { outcome: 'timeout', source: first.packet.headers.source, ms: answerWaitMs };
    await pause(pollMs);
  }
}

function withoutTraffic(prepared: PreparedCase, timeoutMs: number): TraceReport {
  const { request, from, to } = prepared;
  const port = request.port === undefined ? '' : `:${request.port}`;
  const what = request.protocol === 'tcp' ? 'connection' : request.protocol === 'udp' ? 'datagram' : 'echo request';
  return {
    ...reportOf(prepared, prepared.problems),
    conclusion: {
      ...{ outcome: 'unknown', cause: 'no-traffic', grade: 'observed' },
      sentence: `No ${what} from ${nameOf(from)} to ${nameOf(to)}${port} was seen in ${timeoutMs / 1000} s.`,
    },
  };
}
