/**
 * The state of the host's part: adapters, settings, and the networks with their addresses, ports and peers in memory.
 * It has no containers, only what is attached to the networks. Created once by host.ts; there are no globals.
 */

import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import type { Kernel, NftRuleObject } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { Attachments } from './attachments.ts';
import type { EndpointRecord, HostStore, NetworkEvent, NetworkSettings } from './contract.ts';
import type { HostLinks } from './host-links.ts';
import type { NetworkPools } from './ipam/network-pools.ts';
import type { HostFacts } from './model.ts';
import type { NetworkTable } from './network-table.ts';
import type { PortRange } from './ports/choose.ts';
import type { PortTable } from './ports/table.ts';
import type { HostUseCache } from './reconcile/host-use.ts';
import type { LinkDeletions } from './reconcile/link-deletions.ts';

export interface HostContext {
  readonly kernel: Kernel;
  readonly store: HostStore;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly networks: NetworkTable;
  /** Namespaces without a container, by endpoint id. */
  readonly attached: Map<string, EndpointRecord>;
  /** These and the containers, as `reconcile/` sees them. */
  readonly attachments: Attachments;
  readonly peers: Peers;
  /** See `Peers.mtuLimit`. */
  readonly mtuLimit: number | undefined;
  /** Accept rules in forward chains of other programs, and the chains that drop bridge traffic in spite of them. */
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  /** By network id; only networks that allocate addresses. */
  readonly pools: Map<string, NetworkPools>;
  /** Addresses in use on the host. */
  readonly hostUse: HostUseCache;
  readonly ports: PortTable;
  readonly hostLinks: HostLinks;
  /** See `SegmentsDependencies`. */
  readonly knownSegments: Set<string>;
  readonly linkDeletions: LinkDeletions;
  /** Serializes the operations on each container, and on each attached endpoint. */
  readonly queue: KeyedQueue;
  facts: HostFacts;
  dynamicPorts: PortRange;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  /** Called before elements are deleted on purpose, so that the watcher does not report it as another program's change. */
  ownDeletion(): void;
  /** Called after a bridge was created or removed. */
  bridgesChanged(): Promise<void>;
}
