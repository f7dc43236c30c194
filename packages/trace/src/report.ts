/** Joins the predicted path with what was seen into the steps that a user reads. Pure. */
import type { HostTopology } from '@netyard/topology';
import type { TraceCase } from './explain/case.ts';
import type { Conclusion, Hop, Observed, RuleVerdict, Sighting, TraceEvidence, TracePacket } from './model.ts';

export interface TraceStep {
  /** Of the peer on which it is; undefined on this host. */
  host?: string;
  /** Host or container. */
  place: string;
  kind: Hop['kind'] | 'rule';
  /** Interface, route, rule, … */
  name: string;
  direction?: 'in' | 'out';
  /**
   * `seen` with its time; `predicted` of a prediction, of hops that no packet can show, and of those that were not observed;
   * `missing` where the packet should have been seen.
   */
  state: 'seen' | 'predicted' | 'missing' | 'dropped';
  /** Milliseconds since the probe was sent. */
  atMs?: number;
  /** Addresses from here on, where they change. */
  packet?: TracePacket;
}

export interface TraceReport {
  hostName: string;
  from: string;
  to: string;
  packet: TracePacket;
  steps: TraceStep[];
  /** The way of the answer, as seen. */
  answer: TraceStep[];
  conclusion: Conclusion;
  /**
   * `answer`: the first probe was answered, and no packet could be observed; `packets`: it was answered, and interfaces that
   * received it were observed; `rules`: everything was. Absent when nothing was sent.
   */
  observed?: Observed;
  /** All packets and verdicts; the steps show the first packet of each direction, and what decided. */
  evidence?: TraceEvidence;
  /** The peer that the path leads to. */
  peer?: {
    name: string;
    address: string;
    /** Why it could not be asked. */
    problem?: string;
    /** What it observed, in this host's time. */
    evidence?: TraceEvidence;
  };
  /** What could not be observed. */
  incomplete: string[];
}

const placeOf = (topology: HostTopology, namespaceId: string): string => {
  const namespace = topology.namespaces.find(({ id }) => id === namespaceId);
  if (namespace === undefined) return `net:[${namespaceId}]`;
  return namespace.isHost ? topology.hostName : namespace.name;
};

export const stepsOnPeer = (there: ReportedCase): TraceStep[] => onPeer(there, stepsOf(there));
export const answerStepsOnPeer = (there: ReportedCase): TraceStep[] => onPeer(there, answerSteps(there));

/** `server2`, and `server2/web` for a container there. */
function onPeer({ topology: { hostName: host } }: ReportedCase, steps: TraceStep[]): TraceStep[] {
  return steps.map((step) => ({ ...step, host, place: step.place === host ? host : `${host}/${step.place}` }));
}

type ReportedCase = Pick<TraceCase, 'topology' | 'path' | 'evidence' | 'observed'>;

/** The first packet of the probe, along the predicted path. */
export function stepsOf({ topology, path, evidence, observed }: ReportedCase): TraceStep[] {
  if (evidence === undefined) return path.hops.map((hop) => hopStep(topology, hop, undefined));
  const sightings = firstOfEach(evidence.sightings.filter(({ isAnswer }) => !isAnswer));
  const used = new Set<Sighting>();
  const hops = path.hops.map((hop) => hopStep(topology, hop, { sightings, used, isComplete: observed === 'rules' }));
  const unexpected = sightings.filter((seen) => !used.has(seen)).map((seen) => seenStep(topology, seen));
  const rules = decisions(evidence.verdicts.filter((verdict) => !verdict.isAnswer && isFirst(verdict)));
  return inOrder(
    [...hops, ...unexpected],
    rules.map((rule) => ruleStep(topology, rule)),
  );
}

/** The first packet of the answer, as seen. */
export function answerSteps({ topology, evidence }: ReportedCase): TraceStep[] {
  if (evidence === undefined) return [];
  const seen = firstOfEach(evidence.sightings.filter(({ isAnswer, link }) => isAnswer && link !== 'lo'));
  const rules = decisions(evidence.verdicts.filter(({ isAnswer }) => isAnswer));
  return inOrder(
    seen.map((sighting) => seenStep(topology, sighting)),
    rules.map((rule) => ruleStep(topology, rule)),
  );
}

/** A connection begins with SYN; other protocols send one packet. */
const isFirst = ({ flags }: RuleVerdict): boolean => flags === '' || flags === 'S';

/** Later packets of the same connection take the same way. */
function firstOfEach(sightings: readonly Sighting[]): Sighting[] {
  const keys = new Set<string>();
  return sightings.filter(({ namespaceId, link, direction }) => isNew(keys, `${namespaceId} ${link} ${direction}`));
}

/** Verdicts that end a chain by a rule, once each: `continue` and accepting policies decide nothing. */
function decisions(verdicts: readonly RuleVerdict[]): RuleVerdict[] {
  const keys = new Set<string>();
  return verdicts
    .filter(({ verdict, rule }) => verdict !== 'continue' && (verdict !== 'accept' || rule !== undefined))
    .filter(({ namespaceId, family, table, chain, rule, verdict }) =>
      isNew(keys, JSON.stringify([namespaceId, family, table, chain, rule, verdict])),
    );
}

function isNew(keys: Set<string>, key: string): boolean {
  if (keys.has(key)) return false;
  keys.add(key);
  return true;
}

function hopStep(
  topology: HostTopology,
  hop: Hop,
  observed: { sightings: readonly Sighting[]; used: Set<Sighting>; isComplete: boolean } | undefined,
): TraceStep {
  const { kind, name, direction, packet } = hop;
  const step = { place: placeOf(topology, hop.namespaceId), kind, name, ...(direction ? { direction } : {}) };
  const translated = kind === 'translation' ? { packet } : {};
  if (observed === undefined || (kind !== 'link' && kind !== 'bridge')) {
    return { ...step, ...translated, state: 'predicted' };
  }
  const seen = observed.sightings.find(
    (sighting) =>
      !observed.used.has(sighting) &&
      sighting.namespaceId === hop.namespaceId &&
      sighting.link === name &&
      (direction === undefined || sighting.direction === direction),
  );
  // Frames that only pass a bridge are not seen on the bridge itself.
  if (seen === undefined) return { ...step, state: kind === 'link' && observed.isComplete ? 'missing' : 'predicted' };
  observed.used.add(seen);
  return { ...step, state: 'seen', atMs: seen.atMs };
}

const seenStep = (topology: HostTopology, { namespaceId, link, direction, atMs, flags }: Sighting): TraceStep => ({
  ...{ place: placeOf(topology, namespaceId), kind: 'link', name: flags === '' ? link : `${link} ${flags}` },
  ...{ direction, state: 'seen', atMs },
});

const ruleStep = (topology: HostTopology, rule: RuleVerdict): TraceStep => ({
  place: placeOf(topology, rule.namespaceId),
  kind: 'rule',
  name: ruleName(rule),
  state: rule.verdict === 'drop' || rule.verdict === 'reject' ? 'dropped' : 'seen',
  atMs: rule.atMs,
});

function ruleName({ family, table, chain, rule, comment, verdict }: RuleVerdict): string {
  const text = rule === undefined ? 'policy' : (comment ?? rule);
  return `${family} ${table} ${chain}: ${verdict} (${text})`;
}

/** Steps without a time stay behind the step before them; rules go where their time says; nothing follows a drop. */
function inOrder(steps: readonly TraceStep[], rules: readonly TraceStep[]): TraceStep[] {
  const isDropped = rules.some(({ state }) => state === 'dropped');
  const lastSeen = steps.findLastIndex(({ atMs }) => atMs !== undefined);
  let last = 0;
  const placed = steps.map((step, index) => {
    last = Math.max(last, step.atMs ?? last);
    if (isDropped && index > lastSeen) return { step: { ...step, state: 'missing' as const }, at: Infinity, index };
    return { step, at: step.atMs ?? last, index };
  });
  const all = [...placed, ...rules.map((step, index) => ({ step, at: step.atMs ?? 0, index: steps.length + index }))];
  return all.sort((a, b) => compare(a.at, b.at) || a.index - b.index).map(({ step }) => step);
}

const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
