/**
 * The state shared by all operations: adapters, settings, and the state in memory (the store's content, plus port
 * sockets and queues, which exist only within the process). Created once by open.ts; there are no globals.
 */
import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import type { Kernel, NftRuleObject } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { Attachments } from './attachments.ts';
import type {
  ContainerDirectory,
  EndpointRecord,
  LinkRecord,
  NetworkEvent,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
} from './contract.ts';
import type { NetworkPools } from './ipam/network-pools.ts';
import type { LinkIndex } from './links/index.ts';
import type { Sandbox } from './lookup.ts';
import type { HostFacts } from './model.ts';
import type { RemoteLinks } from './operations/remote-links.ts';
import type { PortRange } from './ports/choose.ts';
import type { PortTable } from './ports/table.ts';
import type { LinkDeletions } from './reconcile/link-deletions.ts';
import type { ContainerNames, NamespaceRepairs } from './services.ts';

export interface Context {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  /** Namespaces without a container, by endpoint id. */
  readonly attached: Map<string, EndpointRecord>;
  /** Both as `reconcile/` sees them. */
  readonly attachments: Attachments;
  readonly peers: Peers;
  /** See `Peers.mtuLimit`. */
  readonly mtuLimit: number | undefined;
  /** Accept rules in forward chains of other programs, and the chains that drop bridge traffic in spite of them. */
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly links: LinkIndex;
  /** All links whose target was removed; a new container with the target's name becomes the target. */
  readonly dangling: Set<LinkRecord>;
  /** By network id; only networks that allocate addresses. */
  readonly pools: Map<string, NetworkPools>;
  readonly ports: PortTable;
  /** Host-side interface name of each endpoint, and the id of its container or of the attached endpoint. */
  readonly hostLinks: Map<string, string>;
  readonly linkDeletions: LinkDeletions;
  readonly namespaces: NamespaceRepairs;
  readonly names: ContainerNames;
  readonly remoteLinks: RemoteLinks;
  /** Serializes the operations of each container. */
  readonly queue: KeyedQueue;
  facts: HostFacts;
  dynamicPorts: PortRange;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  /** Called before elements are deleted on purpose, so that the watcher does not report it as another program's change. */
  ownDeletion(): void;
}
