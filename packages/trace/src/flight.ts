/**
 * How long everything about a probe is observed, and whether the cheaper observation after that missed anything. Rule tracing
 * makes other traffic slower, and a packet has passed all rules long before its sender gives up waiting for an answer. Pure.
 */
import { answers, forward, type TraceCase } from './explain/case.ts';
import type { KernelDrop, Sighting, TraceEvidence } from './model.ts';

/** A packet passes the links and rules of one host within a millisecond, unless its processors are busy. */
const onThisHostMs = 50;
/** Answers of other hosts pass rules, too. */
const elsewhereMs = 300;

/**
 * Milliseconds after the probe was sent.
 * @param before what was seen of a former probe, which was waited for as long; undefined if nothing was observed
 */
export function flightTime({ path, to }: TraceCase, before: readonly Sighting[] | undefined): number {
  if (before !== undefined) return Math.min(elsewhereMs, 2 * (before.at(-1)?.atMs ?? 0) + onThisHostMs);
  return path.end.kind === 'left' && !to.isOutside ? elsewhereMs : onThisHostMs;
}

/** The packet left the host by the link that was predicted. */
export const hasLeft = ({ path: { end } }: TraceCase, sightings: readonly Sighting[]): boolean =>
  end.kind === 'left' &&
  sightings.some(
    ({ isAnswer, namespaceId, link, direction }) =>
      !isAnswer && namespaceId === end.namespaceId && link === end.link && direction === 'out',
  );

/**
 * Whether something happened after the flight that only a complete observation explains: another drop or packet than before,
 * or a packet that was waiting then although its next hop answers.
 */
export function isIncomplete(trace: TraceCase, flightMs: number): boolean {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return false;
  const { neighbours, probe } = evidence;
  if (hasNews(evidence, flightMs)) return true;
  const isNeighbourThere = neighbours.length > 0 && neighbours.every(({ macs }) => macs.length === 1);
  return probe.outcome === 'timeout' && isNeighbourThere && !isFateKnown(trace, evidence);
}

/** Another drop or packet than before. */
export const hasNews = ({ drops, sightings }: Pick<TraceEvidence, 'drops' | 'sightings'>, flightMs: number): boolean =>
  hasNew(drops, dropKey, flightMs) || hasNew(sightings, sightingKey, flightMs);

/** What is not known then. */
export const shortFlight = (flightMs: number): string =>
  `rules were traced for ${Math.round(flightMs)} ms: what happened later is known without them`;

const dropKey = ({ namespaceId, reason, isAnswer, flags }: KernelDrop): string | undefined =>
  isAboutNeighbour(reason) || isError(flags) ? undefined : `${namespaceId} ${reason} ${isAnswer}`;

const sightingKey = ({ namespaceId, link, direction, isAnswer, flags }: Sighting): string | undefined =>
  isError(flags) ? undefined : `${namespaceId} ${link} ${direction} ${isAnswer}`;

/** What waits for a neighbour is dropped when the neighbour does not answer, and an ICMP error follows. */
const isAboutNeighbour = (reason: string): boolean => reason.startsWith('NEIGH_');
const isError = (flags: string): boolean => flags.startsWith('icmp:');

/** Packets that are sent again do what the first one did. */
function hasNew<T extends { atMs: number }>(
  events: readonly T[],
  keyOf: (event: T) => string | undefined,
  since: number,
): boolean {
  const known = new Set(events.filter(({ atMs }) => atMs <= since).map(keyOf));
  return events.some((event) => {
    const key = keyOf(event);
    return event.atMs > since && key !== undefined && !known.has(key);
  });
}

/** It was dropped, delivered or answered, or left. */
function isFateKnown(trace: TraceCase, evidence: TraceEvidence): boolean {
  const { end } = trace.path;
  return (
    evidence.drops.length > 0 ||
    evidence.verdicts.some(({ verdict }) => verdict === 'drop' || verdict === 'reject') ||
    answers(evidence).length > 0 ||
    hasLeft(trace, evidence.sightings) ||
    forward(evidence).some(({ direction, namespaceId }) => direction === 'in' && namespaceId === end.namespaceId)
  );
}
