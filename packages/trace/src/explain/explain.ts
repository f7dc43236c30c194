/**
 * The answer of a trace: one sentence that says where the packet stopped, by which object, and what fixes it. Causes that
 * were observed come before those that are only likely. Pure.
 */
import type { Conclusion } from '../model.ts';
import { answers, type CauseFinder, endpointText, nameOf, type TraceCase } from './case.ts';
import { droppedByKernel } from './drops.ts';
import { senderNotRunning, staleName, targetNotRunning } from './ends.ts';
import { droppedByRule } from './firewall.ts';
import { betweenHosts, cameToPeer, leftHost, unknownToPeer } from './hosts.ts';
import { doubledAddress, linkDown, mtuMismatch, noNeighbour, silentNextHop } from './links.ts';
import { outdatedMac, wrongMac } from './neighbour-entries.ts';
import { closedToOutside, leftForOutside, predictedFromOutside } from './outside.ts';
import { asymmetric, forwardingOff, noRoute, noRouteBack, reversePathFilter } from './routes.ts';
import { acceptQueueFull, noAnswer, noListener, notPublished, refused } from './sockets.ts';
import { conntrackFull, droppedByLegacyRule, legacyRules } from './unseen.ts';

/** Known before a probe is sent: none is sent when one of these holds. */
const ends: readonly CauseFinder[] = [senderNotRunning, targetNotRunning, staleName];

/** In this order: answers that took another way, verdicts, counters and addresses, errors of sockets, drops, suspicions. */
const causes: readonly CauseFinder[] = [
  ...ends,
  leftForOutside,
  closedToOutside,
  asymmetric,
  unknownToPeer,
  droppedByRule,
  droppedByLegacyRule,
  conntrackFull,
  reversePathFilter,
  noRouteBack,
  mtuMismatch,
  doubledAddress,
  wrongMac,
  acceptQueueFull,
  notPublished,
  noListener,
  linkDown,
  forwardingOff,
  noRoute,
  noNeighbour,
  silentNextHop,
  outdatedMac,
  legacyRules,
  droppedByKernel,
  refused,
  noAnswer,
];

/** What prevents the probe from being useful, or nothing. */
export function explainEnds(trace: TraceCase): Conclusion | undefined {
  const { remote } = trace;
  return firstOf(ends, [{ trace }, ...(remote?.trace ? [{ trace: remote.trace, host: remote.peer.name }] : [])]);
}

/** What keeps real traffic from coming. */
export const explainBefore = (trace: TraceCase): Conclusion | undefined => explainEnds(trace) ?? closedToOutside(trace);

export function explain(trace: TraceCase): Conclusion {
  const known = explainEnds(trace);
  if (known) return known;
  if (trace.evidence?.probe.outcome === 'answered') return reached(trace, trace.evidence.probe.ms);
  return firstOf(causes, sidesOf(trace)) ?? betweenHosts(trace) ?? leftHost(trace) ?? unexplained(trace);
}

interface Side {
  trace: TraceCase;
  /** The peer, unless it is this host. */
  host?: string;
}

/** The hosts that the probe came to; for a prediction all hosts. */
function sidesOf(trace: TraceCase): Side[] {
  const { remote } = trace;
  const isThere = trace.evidence === undefined || cameToPeer(trace);
  return [{ trace }, ...(remote?.trace && isThere ? [{ trace: remote.trace, host: remote.peer.name }] : [])];
}

function firstOf(finders: readonly CauseFinder[], sides: readonly Side[]): Conclusion | undefined {
  for (const find of finders)
    for (const { trace, host } of sides) {
      const conclusion = find(trace);
      if (conclusion) return { ...conclusion, ...(host === undefined ? {} : { host }) };
    }
  return undefined;
}

const reached = (trace: TraceCase, ms: number): Conclusion => ({
  ...{ outcome: 'reached', cause: 'reached', grade: 'observed' },
  sentence: `${nameOf(trace.from)} reaches ${nameOf(trace.to)}: ${endpointText(trace.packet)} answered after ${ms.toFixed(1)} ms.`,
});

function unexplained(trace: TraceCase): Conclusion {
  const { evidence, path } = trace;
  const fromOutside = predictedFromOutside(trace);
  if (fromOutside !== undefined) return fromOutside;
  if (evidence === undefined) {
    const { end } = trace.remote?.trace?.path ?? path;
    const outcome = end.kind === 'delivered' || end.kind === 'left' ? 'reached' : 'unknown';
    return {
      ...{ outcome, cause: 'predicted', grade: 'predicted' },
      sentence: `Nothing but firewall rules, which a prediction does not evaluate, keeps ${nameOf(trace.from)} from ${trace.to.isOutside ? 'the outside' : endpointText(trace.packet)}.`,
    };
  }
  const last = evidence.sightings.at(-1);
  const where =
    last === undefined
      ? 'it left no interface'
      : `last seen ${last.direction === 'in' ? 'entering' : 'leaving'} by ${last.link}`;
  const what = answers(evidence).length > 0 ? 'The answer was lost' : 'The packet was lost';
  const error = evidence.probe.errno === undefined ? '' : ` (${evidence.probe.errno})`;
  return { outcome: 'unknown', cause: 'unexplained', grade: 'observed', sentence: `${what}: ${where}${error}.` };
}
