/** The map: lanes, blocks, cells and edges, with pan, zoom and arrow keys. */
import {
  Background,
  Controls,
  type Edge as FlowEdge,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from '@xyflow/react';
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { type EdgeData, RateEdge } from './edge-view.tsx';
import { isDim, useFlowNodes } from './flow-nodes.ts';
import { planCurve } from './layout/curve.ts';
import type { Edge } from './layout/edges.ts';
import type { Layout } from './layout/lanes.ts';
import type { PlacedNode, Rectangle } from './layout/nodes.ts';
import { type Direction, nextNode } from './layout/walk.ts';
import { ContainerNode, DotNode, HostNode, NetworkNode, PeerNode, PinNode } from './node-views.tsx';
import type { TraceStop } from './trace/route.ts';
import { TraceEdge, type TraceEdgeData } from './trace/trace-edge.tsx';
import type { Theme } from './use-theme.ts';

interface MapViewProps {
  layout: Layout;
  found: ReadonlySet<string> | undefined;
  selected: string | undefined;
  /** Ends and hops of a trace. */
  route: readonly TraceStop[];
  /** A click on a node; both stay the same functions. */
  pick(id: string, node: PlacedNode): void;
  /** A click on an edge. */
  select(id: string): void;
  toggleExpanded(id: string): void;
  theme: Theme;
}

const nodeTypes = {
  host: HostNode,
  network: NetworkNode,
  container: ContainerNode,
  dot: DotNode,
  pin: PinNode,
  peer: PeerNode,
};
const edgeTypes = { rate: RateEdge, trace: TraceEdge };
/** With more of a kind, only the edges of the selected item are drawn. */
const maximumEdges = 80;
const maximumPortEdges = 12;

const directions: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};

export function MapView(props: MapViewProps) {
  return (
    <ReactFlowProvider>
      <Lanes {...props} />
    </ReactFlowProvider>
  );
}

function Lanes({ layout, found, selected, route, pick, select, toggleExpanded, theme }: MapViewProps) {
  const [active, setActive] = useState<string>();
  const current = active ?? selected ?? layout.nodes[0]?.id;
  const nodes = useFlowNodes(layout.nodes, { found, selected, current, route, pick, toggleExpanded });
  const ends = useMemo(() => new Map(layout.nodes.map((node) => [node.id, endOf(node)])), [layout]);
  const edges = useMemo<FlowEdge[]>(
    () => [
      ...visibleEdges(layout.edges, selected).flatMap((edge) => flowEdge(edge, ends, selected)),
      ...traceEdges(route, ends),
    ],
    [layout, ends, selected, route],
  );
  const moved = useRef(false);
  const isMoved = useCallback(() => moved.current, []);
  useSelectedInView(layout, selected, isMoved);
  const zoom = useStore(({ transform }) => zoomLevel(transform[2]));
  const reachable = useMemo(() => layout.nodes.filter((node) => !isDim(node, found)), [layout, found]);
  const move = useMove(reachable, current, setActive);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys move between the buttons inside
    <div className={`map zoom-${zoom}`} onKeyDown={move}>
      <ReactFlow
        {...{ nodes, edges, nodeTypes, edgeTypes }}
        colorMode={theme}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        onEdgeClick={(_event, edge) => edge.type === 'rate' && select(edge.id)}
        fitView
        fitViewOptions={fitOptions}
        onMove={(event) => {
          // No event: the page itself moves the map.
          if (event !== null) moved.current = true;
        }}
        minZoom={0.05}
        maxZoom={2.5}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={24} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

const zoomLevel = (zoom: number): 'far' | 'middle' | 'near' => (zoom < 0.45 ? 'far' : zoom < 0.8 ? 'middle' : 'near');

/** Moves the focus by arrow keys, and the map along with it where the node is out of sight. */
function useMove(
  nodes: readonly PlacedNode[],
  current: string | undefined,
  setActive: (id: string) => void,
): (event: KeyboardEvent<HTMLDivElement>) => void {
  const { setCenter, getViewport } = useReactFlow();
  const size = useRef<DOMRect>(undefined);
  return useCallback(
    (event) => {
      const direction = directions[event.key];
      if (direction === undefined) return;
      event.preventDefault();
      const isInside = event.target instanceof HTMLElement && event.target.dataset['node'] !== undefined;
      const id = isInside ? nextNode(nodes, current, direction) : current;
      const node = nodes.find((candidate) => candidate.id === id);
      if (node === undefined) return;
      size.current = event.currentTarget.getBoundingClientRect();
      const { x, y, zoom } = getViewport();
      const [left, top] = [node.x * zoom + x, node.y * zoom + y];
      const isVisible = left > 0 && top > 0 && left < size.current.width - 80 && top < size.current.height - 40;
      if (!isVisible) void setCenter(node.x + Math.min(node.width, 300) / 2, node.y + 40, { zoom });
      setActive(node.id);
      focusNode(node.id, 10);
    },
    [nodes, current, setActive, setCenter, getViewport],
  );
}

/** The element exists once the map has moved: that takes a few frames. */
function focusNode(id: string, frames: number): void {
  requestAnimationFrame(() => {
    const element = document.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`);
    if (element) element.focus({ preventScroll: true });
    else if (frames > 0) focusNode(id, frames - 1);
  });
}

function visibleEdges(edges: readonly Edge[], selected: string | undefined): Edge[] {
  const isOfSelected = ({ id, from, to }: Edge): boolean => [id, from, to].includes(selected ?? '');
  const ports = edges.filter(({ kind }) => kind === 'port');
  const others = edges.filter(({ kind }) => kind !== 'port');
  return [
    ...(others.length <= maximumEdges ? others : others.filter(isOfSelected)),
    ...(ports.length <= maximumPortEdges ? ports : ports.filter(isOfSelected)),
  ];
}

/** Lines lead to the title of a network, not through its cells. */
function endOf({ kind, x, y, width, height }: PlacedNode): Rectangle {
  if (kind !== 'network') return { x, y, width, height };
  return { x, y, width: Math.min(width, titleSize.width), height: titleSize.height };
}

const titleSize = { width: 180, height: 34 };

function flowEdge(
  edge: Edge,
  ends: ReadonlyMap<string, Rectangle>,
  selected: string | undefined,
): FlowEdge<EdgeData>[] {
  const { id, from, to, label } = edge;
  const [start, end] = [ends.get(from), ends.get(to)];
  if (start === undefined || end === undefined) return [];
  const data = { edge, curve: planCurve(start, end), isSelected: id === selected };
  return [{ id, source: from, target: to, type: 'rate', data, zIndex: 4, ariaLabel: label }];
}

/** From stop to stop, in the order of the packet. */
function traceEdges(route: readonly TraceStop[], ends: ReadonlyMap<string, Rectangle>): FlowEdge<TraceEdgeData>[] {
  return route.slice(1).flatMap((stop, index) => {
    const from = route[index];
    const [start, end] = [ends.get(from?.id ?? ''), ends.get(stop.id)];
    if (from === undefined || start === undefined || end === undefined) return [];
    const data = { curve: planCurve(start, end), state: stop.state, number: index + 1 };
    return [{ id: `trace:${index}`, source: from.id, target: stop.id, type: 'trace', data, zIndex: 5 }];
  });
}

/**
 * Fits the map again when its size changes, until the user has moved it. Then, or where that makes it too small to read, it
 * moves only to what is selected, if that is out of sight: by a search, in the table, or below the panel.
 */
function useSelectedInView(layout: Layout, selected: string | undefined, isMoved: () => boolean): void {
  const { fitView, setCenter, getViewport } = useReactFlow();
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const edge = layout.edges.find(({ id }) => id === selected);
  const node = layout.nodes.find(({ id }) => id === (edge?.to ?? selected));
  const [x, y] = [node && node.x + Math.min(node.width, 300) / 2, node && node.y + Math.min(node.height, 80) / 2];
  useEffect(() => {
    const adapt = async (): Promise<void> => {
      if (!isMoved()) await fitView(fitOptions);
      if (x === undefined || y === undefined) return;
      const { x: left, y: top, zoom } = getViewport();
      const [screenX, screenY] = [x * zoom + left, y * zoom + top];
      const isVisible = screenX > 60 && screenY > 30 && screenX < width - 60 && screenY < height - 30;
      if (!isVisible || zoom < readableZoom) await setCenter(x, y, { zoom: Math.max(zoom, readableZoom) });
    };
    if (width > 0) void adapt();
  }, [x, y, width, height, isMoved, fitView, getViewport, setCenter]);
}

const fitOptions = { maxZoom: 1.2, padding: 0.05 };
const readableZoom = 0.6;
