/** An edge whose width shows its traffic; dropped packets make it red and dashed. */
import { BaseEdge, type EdgeProps, type Edge as FlowEdge } from '@xyflow/react';
import type { Curve } from './layout/curve.ts';
import type { Edge } from './layout/edges.ts';
import { useLinkRate } from './rate-store.ts';
import { formatRate, lineWidth } from './units.ts';

export type EdgeData = { edge: Edge; curve: Curve; isSelected: boolean };

export function RateEdge({ id, data }: EdgeProps<FlowEdge<EdgeData>>) {
  const rate = useLinkRate(data?.edge.hostLink);
  if (data === undefined) return null;
  const { edge, curve, isSelected } = data;
  const [inBytes = 0, outBytes = 0, drops = 0] = rate ?? [];
  const classes = ['edge', `edge-${edge.kind}`, drops > 0 ? 'edge-drops' : '', isSelected ? 'edge-selected' : ''];
  const text = drops > 0 ? `${drops} drops/s` : rate && formatRate(inBytes + outBytes);
  return (
    <g className={classes.join(' ')}>
      <BaseEdge
        id={id}
        {...curve}
        strokeWidth={lineWidth(inBytes + outBytes)}
        interactionWidth={16}
        {...(text ? { label: text } : {})}
      />
    </g>
  );
}
