/** One hop of a trace, with its number. */
import { BaseEdge, type EdgeProps, type Edge as FlowEdge } from '@xyflow/react';
import type { Curve } from '../layout/curve.ts';
import type { TraceStop } from './route.ts';

export type TraceEdgeData = { curve: Curve; state: TraceStop['state']; number: number };

export function TraceEdge({ id, data }: EdgeProps<FlowEdge<TraceEdgeData>>) {
  if (data === undefined) return null;
  const { curve, state, number } = data;
  return (
    <g className={`trace-edge trace-edge-${state}`}>
      <BaseEdge id={id} {...curve} label={state === 'missing' ? '✕' : String(number)} interactionWidth={0} />
    </g>
  );
}
