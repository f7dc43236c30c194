/** The edges between placed nodes: further networks of containers, links, published ports. Pure. */
import type { ContainerItem, PageItem } from '../model.ts';
import { homesOf } from './blocks.ts';
import type { PlacedNode } from './nodes.ts';

export interface Edge {
  id: string;
  kind: 'member' | 'link' | 'port';
  /** Ids of nodes. */
  from: string;
  to: string;
  /** The container at `from`; of a port, the one at `to`. */
  container: ContainerItem;
  label: string;
  /** Interface of the host whose rate the edge shows. */
  hostLink?: string;
  /** Of a port: `8080/tcp`. */
  port?: string;
}

export function planEdges(items: readonly PageItem[], nodes: readonly PlacedNode[]): Edge[] {
  const placed = new Set(nodes.map(({ id }) => id));
  const containers = items.filter((item) => item.kind === 'container');
  const homes = homesOf(
    items.filter((item) => item.kind === 'network'),
    containers,
  );
  const edges = [
    ...containers.flatMap((container) => memberEdges(container, homes)),
    ...containers.flatMap(linkEdges),
    ...nodes.flatMap(portEdges),
  ];
  const ids = new Set<string>();
  return edges.filter(({ id, from, to }) => {
    const isNew = !ids.has(id);
    ids.add(id);
    return isNew && placed.has(from) && placed.has(to);
  });
}

export const memberEdgeId = (containerId: string, networkId: string): string => `member:${containerId}:${networkId}`;

function memberEdges(container: ContainerItem, homes: ReadonlyMap<string, string>): Edge[] {
  return container.endpoints
    .filter(({ networkId }) => networkId !== homes.get(container.id))
    .map(({ networkId, network, hostLink }) => ({
      id: memberEdgeId(container.id, networkId),
      kind: 'member',
      from: container.id,
      to: networkId,
      container,
      label: `${container.name} on ${network}`,
      ...(hostLink === undefined ? {} : { hostLink }),
    }));
}

function linkEdges(container: ContainerItem): Edge[] {
  return container.links.flatMap(({ id, name, alias }) =>
    id === undefined
      ? []
      : [
          {
            id: `link:${container.id}:${alias}`,
            kind: 'link',
            from: container.id,
            to: id,
            container,
            label: `${container.name} links to ${name} as ${alias}`,
          },
        ],
  );
}

function portEdges(node: PlacedNode): Edge[] {
  if (node.kind !== 'pin') return [];
  const { id, item, port } = node;
  const hostLink = item.endpoints.find((endpoint) => endpoint.hostLink !== undefined)?.hostLink;
  return [
    {
      id: `edge:${id}`,
      kind: 'port',
      from: id,
      to: item.id,
      container: item,
      label: `port ${port.hostPort}/${port.protocol} leads to ${item.name}`,
      port: `${port.hostPort}/${port.protocol}`,
      ...(hostLink === undefined ? {} : { hostLink }),
    },
  ];
}
