/** The blocks of one host: a network with its containers each, and those without a network of their own. Pure. */
import type { ContainerItem, NetworkItem } from '../model.ts';

export const cellSize = { width: 168, height: 64 } as const;
export const dotSize = { width: 16, height: 16 } as const;
export const cellGap = 8;
const dotGap = 6;
/** With more containers than this, a block is a grid of dots. */
export const maximumCells = 40;
export const blockPadding = 10;
const blockHead = 34;

export interface Block {
  id: string;
  title: string;
  network?: NetworkItem;
  members: ContainerItem[];
  isDense: boolean;
  /** It has too many containers for cells, unless the user asks for them. */
  canExpand: boolean;
}

/** Networks in their order, then the containers that are on none. */
export function planBlocks(
  hostId: string,
  networks: readonly NetworkItem[],
  containers: readonly ContainerItem[],
  expanded: ReadonlySet<string>,
): Block[] {
  const homes = homesOf(networks, containers);
  const membersOf = (id: string): ContainerItem[] => containers.filter((container) => homes.get(container.id) === id);
  const others: [id: string, title: string][] = [
    [`${hostId}/host`, 'host network'],
    [`${hostId}/none`, 'no network'],
    [`${hostId}/namespace`, 'namespaces of no engine'],
  ];
  const all = [
    ...networks.map((network) => ({ id: network.id, title: network.name, network, members: membersOf(network.id) })),
    ...others
      .map(([id, title]) => ({ id, title, members: membersOf(title) }))
      .filter(({ members }) => members.length > 0),
  ];
  return all.map((block) => {
    const canExpand = block.members.length > maximumCells;
    return { ...block, canExpand, isDense: canExpand && !expanded.has(block.id) };
  });
}

/** The block of each container by its id: its first network, that of the container whose namespace it shares, or none. */
export function homesOf(
  networks: readonly NetworkItem[],
  containers: readonly ContainerItem[],
): ReadonlyMap<string, string> {
  const known = new Set(networks.map(({ id }) => id));
  const homes = new Map<string, string>();
  const ownHome = ({ endpoints, mode }: ContainerItem): string => {
    const network = endpoints.find(({ networkId }) => known.has(networkId))?.networkId;
    return network ?? blocksWithoutNetwork[mode] ?? 'no network';
  };
  for (const container of containers) homes.set(container.id, ownHome(container));
  for (const { id, sharedWith } of containers) {
    const home = sharedWith === undefined ? undefined : homes.get(sharedWith);
    if (home !== undefined) homes.set(id, home);
  }
  return homes;
}

/** By the mode of their containers. */
const blocksWithoutNetwork: Readonly<Record<string, string>> = {
  ...{ host: 'host network', namespace: 'namespaces of no engine' },
};

export interface PlacedBlock {
  block: Block;
  x: number;
  y: number;
  width: number;
  height: number;
  cells: { item: ContainerItem; x: number; y: number }[];
}

/** In rows, left to right; a block is as wide as its cells need, at most the whole area. */
export function placeBlocks(
  blocks: readonly Block[],
  area: { x: number; y: number; width: number },
): { placed: PlacedBlock[]; end: number } {
  const placed: PlacedBlock[] = [];
  let x = area.x;
  let y = area.y;
  let rowHeight = 0;
  for (const block of blocks) {
    const size = sizeOf(block, area.width);
    if (x > area.x && x + size.width > area.x + area.width) {
      x = area.x;
      y += rowHeight + cellGap;
      rowHeight = 0;
    }
    placed.push(placeBlock(block, size, x, y));
    x += size.width + cellGap;
    rowHeight = Math.max(rowHeight, size.height);
  }
  return { placed, end: blocks.length === 0 ? y : y + rowHeight + cellGap };
}

interface BlockSize {
  columns: number;
  width: number;
  height: number;
}

const pitchOf = ({ isDense }: Block): { width: number; height: number } =>
  isDense
    ? { width: dotSize.width + dotGap, height: dotSize.height + dotGap }
    : { width: cellSize.width + cellGap, height: cellSize.height + cellGap };

function sizeOf(block: Block, available: number): BlockSize {
  const pitch = pitchOf(block);
  const most = Math.max(1, Math.floor((available - 2 * blockPadding) / pitch.width));
  const count = block.members.length;
  // At least as wide as its title with the subnet.
  const least = block.isDense ? 10 : count <= 1 ? 1 : 2;
  const columns = Math.min(most, Math.max(least, block.isDense ? most : count));
  const rows = Math.ceil(count / columns);
  const width = Math.max(columns * pitch.width + 2 * blockPadding, cellSize.width + 2 * blockPadding + 40);
  return { columns, width: Math.min(width, available), height: blockHead + rows * pitch.height + blockPadding };
}

function placeBlock(block: Block, { columns, width, height }: BlockSize, x: number, y: number): PlacedBlock {
  const pitch = pitchOf(block);
  const cells = block.members.map((item, index) => ({
    item,
    x: x + blockPadding + (index % columns) * pitch.width,
    y: y + blockHead + Math.floor(index / columns) * pitch.height,
  }));
  return { block, x, y, width, height, cells };
}
