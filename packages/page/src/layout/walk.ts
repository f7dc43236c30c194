/** Moves from node to node by arrow keys. Pure. */
import type { PlacedNode } from './nodes.ts';

export type Direction = 'left' | 'right' | 'up' | 'down';

const unit: Readonly<Record<Direction, [x: number, y: number]>> = {
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
};

const centre = ({ x, y, width, height }: PlacedNode): [x: number, y: number] => [x + width / 2, y + height / 2];

/**
 * The nearest node in a direction: distance across counts double. From a host or a network the first step inside leads to
 * what it contains. The first node, if `from` is not among them; `from` itself, if there is none.
 */
export function nextNode(
  nodes: readonly PlacedNode[],
  from: string | undefined,
  direction: Direction,
): string | undefined {
  const start = nodes.find(({ id }) => id === from);
  if (start === undefined) return nodes[0]?.id;
  const [dx, dy] = unit[direction];
  const [x, y] = corner(start);
  let best: { id: string; cost: number } | undefined;
  for (const node of nodes) {
    if (node === start) continue;
    const [nodeX, nodeY] = corner(node);
    const along = (nodeX - x) * dx + (nodeY - y) * dy;
    const across = Math.abs((nodeX - x) * dy) + Math.abs((nodeY - y) * dx);
    if (along <= 0 || across > 4 * along + 200) continue;
    const cost = along + 2 * across;
    if (best === undefined || cost < best.cost) best = { id: node.id, cost };
  }
  return best?.id ?? start.id;
}

/** Hosts and networks are reached at their titles, at the left top. */
function corner(node: PlacedNode): [x: number, y: number] {
  if (node.kind !== 'host' && node.kind !== 'network') return centre(node);
  return [node.x + 60, node.y + 14];
}
