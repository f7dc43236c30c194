/** What the layout places. */
import type { ContainerItem, ContainerPort, HostItem, NetworkItem, PeerItem } from '../model.ts';

export interface Rectangle {
  /** Left and top, in pixels. */
  x: number;
  y: number;
  width: number;
  height: number;
}

export type PlacedNode = Rectangle & { id: string } & (
    | { kind: 'host'; item: HostItem }
    | { kind: 'network'; title: string; count: number; item?: NetworkItem; isDense: boolean; canExpand: boolean }
    | { kind: 'container'; item: ContainerItem }
    | { kind: 'dot'; item: ContainerItem }
    | { kind: 'pin'; item: ContainerItem; port: ContainerPort }
    | { kind: 'peer'; item: PeerItem }
  );
