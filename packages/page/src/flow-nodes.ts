/** The nodes of the map as @xyflow/react takes them. A node that has not changed stays the same object: it is not drawn again. */
import type { Node as FlowNode } from '@xyflow/react';
import { useMemo, useRef } from 'react';
import type { PlacedNode } from './layout/nodes.ts';
import type { NodeData } from './node-views.tsx';
import type { TraceStop } from './trace/route.ts';

/** What of the page's state shows on nodes. */
export interface NodeContext {
  found: ReadonlySet<string> | undefined;
  selected: string | undefined;
  /** The one in the order of the Tab key. */
  current: string | undefined;
  route: readonly TraceStop[];
  /** Both stay the same functions. */
  pick(id: string, node: PlacedNode): void;
  toggleExpanded(id: string): void;
}

const layers: Readonly<Record<PlacedNode['kind'], number>> = {
  ...{ host: 0, network: 1, peer: 2, pin: 2, container: 3, dot: 3 },
};

export type PageNode = FlowNode<NodeData>;

export function useFlowNodes(nodes: readonly PlacedNode[], context: NodeContext): PageNode[] {
  const { found, selected, current, route, pick, toggleExpanded } = context;
  const before = useRef<ReadonlyMap<string, PageNode>>(new Map());
  return useMemo(() => {
    const made = nodes.map((node) => {
      const next = flowNode(node, { found, selected, current, route, pick, toggleExpanded });
      const last = before.current.get(node.id);
      return last !== undefined && isSame(last.data, next.data) ? last : next;
    });
    before.current = new Map(made.map((node) => [node.id, node]));
    return made;
  }, [nodes, found, selected, current, route, pick, toggleExpanded]);
}

/** What a search omits is dimmed and skipped by the arrow keys; hosts stay. */
export function isDim(node: PlacedNode, found: ReadonlySet<string> | undefined): boolean {
  const id = itemIdOf(node);
  return node.kind !== 'host' && found !== undefined && (id === undefined || !found.has(id));
}

export const itemIdOf = (node: PlacedNode): string | undefined =>
  node.kind === 'network' ? node.item?.id : node.item.id;

function flowNode(node: PlacedNode, context: NodeContext): PageNode {
  const { found, selected, current, route, pick, toggleExpanded } = context;
  const itemId = itemIdOf(node);
  const traced = route.find(({ id }) => id === node.id)?.state;
  return {
    id: node.id,
    type: node.kind,
    position: { x: node.x, y: node.y },
    width: node.width,
    height: node.height,
    zIndex: layers[node.kind],
    data: {
      node,
      isDim: isDim(node, found),
      isSelected: itemId !== undefined && itemId === selected,
      isCurrent: node.id === current,
      traced,
      select: () => (itemId === undefined ? undefined : pick(itemId, node)),
      toggleExpanded: () => toggleExpanded(node.id),
    },
  };
}

/** Layouts make new nodes from the same items. */
function isSame(one: NodeData, other: NodeData): boolean {
  const { node: oneNode, select: _, toggleExpanded: _toggle, ...oneState } = one;
  const { node: otherNode, select: __, toggleExpanded: __toggle, ...otherState } = other;
  return isShallowEqual(oneState, otherState) && isShallowEqual(oneNode, otherNode);
}

function isShallowEqual(one: object, other: object): boolean {
  const [entries, values] = [Object.entries(one), new Map(Object.entries(other))];
  return entries.length === values.size && entries.every(([key, value]) => Object.is(value, values.get(key)));
}
