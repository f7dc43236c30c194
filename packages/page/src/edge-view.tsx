/** An edge whose width shows its traffic; dropped packets make it red and dashed. */
import { BaseEdge, type EdgeProps, type Edge as FlowEdge, getBezierPath } from '@xyflow/react';
import type { Edge } from './layout/edges.ts';
import { useLinkRate } from './rate-store.ts';
import { formatRate, lineWidth } from './units.ts';

export type EdgeData = { edge: Edge; isSelected: boolean };

export function RateEdge(props: EdgeProps<FlowEdge<EdgeData>>) {
  const { id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data } = props;
  const rate = useLinkRate(data?.edge.hostLink);
  const [path, labelX, labelY] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const [inBytes = 0, outBytes = 0, drops = 0] = rate ?? [];
  const kind = data?.edge.kind ?? 'member';
  const classes = ['edge', `edge-${kind}`, drops > 0 ? 'edge-drops' : '', data?.isSelected ? 'edge-selected' : ''];
  const text = drops > 0 ? `${drops} drops/s` : rate && formatRate(inBytes + outBytes);
  return (
    <g className={classes.join(' ')}>
      <BaseEdge
        id={id}
        path={path}
        strokeWidth={lineWidth(inBytes + outBytes)}
        interactionWidth={16}
        {...(text ? { label: text, labelX, labelY } : {})}
      />
    </g>
  );
}
