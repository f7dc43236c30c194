/**
 * What every operation works on: the plugs, the settings, and the state in memory (what the store has, plus what can
 * only be held by a living process: port sockets and queues). One value made by open.ts; nothing here is global.
 */
import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import type { Kernel, NftRuleObject } from '@netyard/kernel';
import type {
  ContainerDirectory,
  LinkRecord,
  NetworkEvent,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
} from './contract.ts';
import type { AddressPool } from './ipam/pool.ts';
import type { LinkIndex } from './links/index.ts';
import type { Sandbox } from './lookup.ts';
import type { Departures } from './operations/link-deletions.ts';
import type { Traffic } from './operations/peer-traffic.ts';
import type { RemoteLinks } from './operations/remote-links.ts';
import type { HostView } from './peers/host-view.ts';
import type { PeerTable } from './peers/table.ts';
import type { HostFacts } from './plan/bridge-network.ts';
import type { PortRange } from './ports/choose.ts';
import type { PortTable } from './ports/table.ts';
import type { ContainerNames, InsideRepairs } from './services.ts';
import type { Tunnel } from './tunnel.ts';

export interface Context {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  /** What the kernel last told of the host; dropped by the watcher when that may have changed. */
  hostView: HostView | undefined;
  /** Of peers by name, as last looked at. */
  traffic: ReadonlyMap<string, Traffic>;
  /** As it was last made; and the index of its link. */
  tunnel: Tunnel | undefined;
  tunnelIndex: number | undefined;
  /** No link of a container carries more, so that what it sends fits through the tunnel. */
  mtuLimit: number | undefined;
  /** Accept rules in other programs' forward chains, and which of those chains cut the bridges off nevertheless. */
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly links: LinkIndex;
  /** Links whose target is gone: a container of the same name takes its place. */
  readonly dangling: Set<LinkRecord>;
  /** By network id; only networks that give out addresses. */
  readonly pools: Map<string, AddressPool>;
  readonly ports: PortTable;
  /** Host side of each endpoint's link, and whose it is. */
  readonly hostLinks: Map<string, string>;
  readonly departures: Departures;
  readonly insides: InsideRepairs;
  readonly names: ContainerNames;
  readonly remoteLinks: RemoteLinks;
  /** One piece of work at a time per container. */
  readonly queue: KeyedQueue;
  facts: HostFacts;
  dynamicPorts: PortRange;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  /** Called when elements come or go on purpose, so that the watcher does not take it for another program's doing. */
  ownDeletion(): void;
}
