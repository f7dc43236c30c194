/** Whether what was seen of an answered probe is what was predicted. If not, rules may show why. Pure. */
import { forward, type TraceCase } from './explain/case.ts';

/** On this host, and on the peer if it observed. What could not be observed agrees with nothing. */
export function agreesWithPrediction(traced: TraceCase): boolean {
  const there = traced.remote?.trace;
  const isComplete = (traced.evidence?.incomplete.length ?? 0) + (there?.evidence?.incomplete.length ?? 0) === 0;
  return isComplete && [traced, there].every((side) => side === undefined || agreesHere(side));
}

function agreesHere(side: TraceCase): boolean {
  const { end } = side.path;
  const canAnswer =
    end.kind === 'left' || (end.kind === 'delivered' && (end.socket !== undefined || side.packet.protocol === 'icmp'));
  return canAnswer && (side.observed !== 'packets' || hasPredictedWay(side));
}

/** The packet came to each namespace on the path, and to no other one. */
function hasPredictedWay({ path: { hops }, evidence }: TraceCase): boolean {
  const received = new Set(
    (evidence === undefined ? [] : forward(evidence))
      .filter(({ direction }) => direction === 'in')
      .map(({ namespaceId }) => namespaceId),
  );
  const entered = hops.filter(({ kind, direction }) => kind === 'link' && direction === 'in');
  const known = new Set(hops.map(({ namespaceId }) => namespaceId));
  return entered.every(({ namespaceId }) => received.has(namespaceId)) && [...received].every((id) => known.has(id));
}
