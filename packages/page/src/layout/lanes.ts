/**
 * Places hosts as lanes, two abreast: published ports on top, networks as blocks with their containers as cells, peers
 * below. Positions follow from names alone, so that nothing moves while containers come and go elsewhere. Pure.
 */
import type { ContainerItem, ContainerPort, HostItem, PageItem, PeerItem } from '../model.ts';
import { blockPadding, cellGap, cellSize, dotSize, type PlacedBlock, placeBlocks, planBlocks } from './blocks.ts';
import { type Edge, planEdges } from './edges.ts';
import type { PlacedNode, Rectangle } from './nodes.ts';

export interface Layout {
  nodes: PlacedNode[];
  edges: Edge[];
}

const lanePadding = 16;
const laneGap = 48;
const headHeight = 44;
const pinSize = { width: 132, height: 30 };
const peerSize = { width: 336, height: 56 };
const minimumWidth = 2 * peerSize.width + cellGap;

const byName = (one: { name: string }, other: { name: string }): number =>
  one.name.localeCompare(other.name, 'en', { numeric: true });

/** @param expanded ids of networks whose containers are shown as cells although there are many */
export function planLayout(items: readonly PageItem[], expanded: ReadonlySet<string>): Layout {
  const hosts = items.filter((item) => item.kind === 'host').sort(byName);
  const contents = hosts.map((host) => collectLane(host, items, expanded));
  const width = Math.max(minimumWidth, ...contents.map(preferredWidth));
  const nodes: PlacedNode[] = [];
  let y = 0;
  for (let row = 0; row < contents.length; row += 2) {
    const lanes = contents.slice(row, row + 2).map((lane, column) => placeLane(lane, column, y, width));
    nodes.push(...lanes.flat());
    y = Math.max(...lanes.flatMap(([host]) => (host ? [host.y + host.height] : []))) + laneGap;
  }
  return { nodes, edges: planEdges(items, nodes) };
}

interface Lane {
  host: HostItem;
  pins: { item: ContainerItem; port: ContainerPort }[];
  blocks: ReturnType<typeof planBlocks>;
  peers: PeerItem[];
}

function collectLane(host: HostItem, items: readonly PageItem[], expanded: ReadonlySet<string>): Lane {
  const own = items.filter((item) => item.kind !== 'host' && item.host === host.id);
  const containers = own.filter((item) => item.kind === 'container').sort(byName);
  const networks = own.filter((item) => item.kind === 'network').sort(byName);
  return {
    host,
    pins: containers.flatMap((item) => distinctPorts(item.ports).map((port) => ({ item, port }))),
    blocks: planBlocks(host.id, networks, containers, expanded),
    peers: own.filter((item) => item.kind === 'peer').sort(byName),
  };
}

/** One pin for a port of both address families. */
function distinctPorts(ports: readonly ContainerPort[]): ContainerPort[] {
  const byKey = new Map(ports.map((port) => [`${port.hostPort}/${port.protocol}/${port.containerPort}`, port]));
  return [...byKey.values()].sort((one, other) => one.hostPort - other.hostPort);
}

/** Wide enough for the widest block, and about as wide as high. */
function preferredWidth({ blocks }: Lane): number {
  const cells = blocks.reduce((sum, { members, isDense }) => sum + (isDense ? members.length / 30 : members.length), 0);
  const columns = Math.min(8, Math.max(4, Math.ceil(Math.sqrt(cells / 1.5))));
  return columns * (cellSize.width + cellGap) + 2 * (lanePadding + blockPadding);
}

function placeLane(lane: Lane, column: number, top: number, width: number): PlacedNode[] {
  const left = column * (width + laneGap);
  const inner = { x: left + lanePadding, width: width - 2 * lanePadding };
  const pins = placeRow(lane.pins, pinSize, { ...inner, y: top + headHeight });
  const blocks = placeBlocks(lane.blocks, { ...inner, y: pins.end });
  const peers = placeRow(lane.peers, peerSize, { ...inner, y: blocks.end });
  const host: PlacedNode = {
    ...{ id: lane.host.id, kind: 'host', item: lane.host },
    ...{ x: left, y: top, width, height: peers.end + lanePadding - cellGap - top },
  };
  return [
    host,
    ...pins.placed.map(
      ({ item: { item, port }, ...place }): PlacedNode => ({
        id: pinId(item, port),
        kind: 'pin',
        item,
        port,
        ...place,
      }),
    ),
    ...blocks.placed.flatMap(nodesOfBlock),
    ...peers.placed.map(({ item, ...place }): PlacedNode => ({ id: item.id, kind: 'peer', item, ...place })),
  ];
}

export const pinId = ({ id }: ContainerItem, { hostPort, protocol, containerPort }: ContainerPort): string =>
  `port:${id}:${hostPort}/${protocol}/${containerPort}`;

function nodesOfBlock({ block, cells, ...place }: PlacedBlock): PlacedNode[] {
  const { id, title, members, network, isDense, canExpand } = block;
  const node: PlacedNode = {
    ...{ kind: 'network', id, title, count: members.length, isDense, canExpand },
    ...(network ? { item: network } : {}),
    ...place,
  };
  const size = isDense ? dotSize : cellSize;
  const kind = isDense ? 'dot' : 'container';
  return [node, ...cells.map(({ item, x, y }): PlacedNode => ({ id: item.id, kind, item, x, y, ...size }))];
}

/** Left to right, then in further rows. `end`: where the next row begins. */
export function placeRow<Item>(
  items: readonly Item[],
  size: { width: number; height: number },
  area: { x: number; y: number; width: number },
): { placed: ({ item: Item } & Rectangle)[]; end: number } {
  const perRow = Math.max(1, Math.floor((area.width + cellGap) / (size.width + cellGap)));
  const placed = items.map((item, index) => ({
    item,
    x: area.x + (index % perRow) * (size.width + cellGap),
    y: area.y + Math.floor(index / perRow) * (size.height + cellGap),
    ...size,
  }));
  const rows = Math.ceil(items.length / perRow);
  return { placed, end: area.y + rows * (size.height + cellGap) };
}
