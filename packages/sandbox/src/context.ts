/** The state of operations on containers: that of the host, and the containers' (the store's content, and services). */

import type { HostContext } from '@netyard/network';
import type { ClusterNetworks, ContainerDirectory, LinkRecord, NetworkStore } from './contract.ts';
import type { LinkIndex } from './links/index.ts';
import type { Sandbox } from './lookup.ts';
import type { RemoteLinks } from './operations/remote-links.ts';
import type { ContainerNames, NamespaceRepairs } from './services.ts';

export interface ContainerContext {
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  /** All links whose target was removed; a new container with the target's name becomes the target. */
  readonly dangling: Set<LinkRecord>;
  readonly namespaces: NamespaceRepairs;
  readonly names: ContainerNames;
  /** Undefined without a cluster. */
  readonly clusterNetworks: ClusterNetworks | undefined;
  readonly remoteLinks: RemoteLinks;
}

export type Context = HostContext & ContainerContext;
