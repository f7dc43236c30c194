/**
 * Maps kernel events to the parts of the desired state that may have drifted: networks, containers, peers, elements and
 * chains of other programs. Decides only what to compare; the reconciler compares and repairs it.
 */
import type { Kernel, KernelEvent } from '@netyard/kernel';
import { isPeerSet, type Peers, type ReconcileScope, uniteScopes } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { isEngineBridge } from '../firewall/engine-bridges.ts';
import { guardName } from '../firewall/guard.ts';
import { endpointSets, networkSets, tableName } from '../firewall/table.ts';
import { bridgeOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { isHostLinkName, ownerPrefix } from '../object-names.ts';
import type { LinkDeletions } from './link-deletions.ts';

/** Dependencies of the functions in this file. */
export interface DriftTrackerDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
  readonly peers: Pick<Peers, 'affectedBy'>;
  mtuLimit: number | undefined;
  readonly hostLinks: Map<string, string>;
  readonly linkDeletions: LinkDeletions;
  facts: HostFacts;
}

/** Called when something has to be compared, each with a delay of its own. */
export interface DriftSchedule {
  repair(): void;
  elements(): void;
  foreignChains(): void;
}

/** `links`: bridges with their addresses; `all`: Netyard's tables and their elements as well. */
export type NetworkScope = 'links' | 'all';

/** Parts of the desired state to compare. */
export interface Drift {
  networks: NetworkScope | undefined;
  peers: ReconcileScope | undefined;
  containers: ReadonlySet<string>;
}

type LinkEvent = Extract<KernelEvent, { type: 'link' }>;
type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

const mainTable = 254;
/** linux/rtnetlink.h RTPROT_KERNEL. */
const kernelProtocol = 2;

export class DriftTracker {
  readonly #context: DriftTrackerDependencies;
  readonly #schedule: DriftSchedule;
  readonly #containers = new Set<string>();
  /** Host-side interfaces of containers that differ from the plan, with the ids of their containers. */
  readonly #driftedLinks = new Map<string, string>();
  readonly #bridgeIndexes = new Set<number>();
  #networks: NetworkScope | undefined;
  #peers: ReconcileScope | undefined;
  #hasNewEngineBridge = false;

  constructor(context: DriftTrackerDependencies, schedule: DriftSchedule) {
    this.#context = context;
    this.#schedule = schedule;
  }

  async readBridges(): Promise<void> {
    const names = this.#bridgeLinks();
    for (const { name, index } of await this.#context.kernel.listLinks())
      if (names.has(name)) this.#bridgeIndexes.add(index);
  }

  /** The networks and containers to compare now; forgets them. Peers are taken later, since networks may add to them. */
  takeNetworks(): Pick<Drift, 'networks' | 'containers'> {
    const containers = new Set([...this.#containers, ...this.#driftedLinks.values()]);
    const networks = this.#networks;
    this.#containers.clear();
    this.#driftedLinks.clear();
    this.#networks = undefined;
    return { networks, containers };
  }

  takePeers(): Drift['peers'] {
    const peers = this.#peers;
    this.#peers = undefined;
    return peers;
  }

  /** Another engine created a bridge since the last call of `clearNewEngineBridge`. */
  get hasNewEngineBridge(): boolean {
    return this.#hasNewEngineBridge;
  }

  clearNewEngineBridge(): void {
    this.#hasNewEngineBridge = false;
  }

  /** Adds a container to the next comparison, without scheduling one. */
  addContainer(id: string): void {
    this.#containers.add(id);
  }

  /** Adds all peers to the next comparison, without scheduling one. */
  addAllPeers(): void {
    this.#peers = 'all';
  }

  markNetworks(scope: NetworkScope): void {
    if (this.#networks !== 'all') this.#networks = scope;
    this.#schedule.repair();
  }

  handle(event: KernelEvent): void {
    if (event.type === 'nft') this.#handleNft(event);
    else if (event.type === 'link') this.#handleLink(event);
    else if (event.type === 'address') this.#handleAddress(event);
    else if (event.type === 'route') this.#handleRoute(event);
    else if (event.type === 'netconf') this.#handleNetconf(event);
    else if (event.type === 'neighbour' || event.type === 'fdb') this.#markPeers(event);
    else {
      this.markNetworks('all');
      this.#markContainers();
      this.#markPeers(event);
      this.#schedule.foreignChains();
    }
  }

  #handleNft(event: NftEvent): void {
    if (event.table === guardName) return;
    if (event.table !== tableName) {
      // Sets and their elements do not change which chains a packet traverses.
      if (event.what !== 'set' && event.what !== 'element') this.#schedule.foreignChains();
      return;
    }
    if (event.what === 'element') this.#handleElement(event);
    else {
      this.markNetworks('all');
      this.#markContainers();
    }
  }

  /** An event of a peer's element identifies the peer; for other elements the sets are compared. */
  #handleElement(event: NftEvent): void {
    const isOf = (sets: readonly string[]): boolean => sets.some((set) => set === event.set);
    if (isOf(endpointSets) || (event.action === 'new' && isOf(networkSets))) this.#schedule.elements();
    else if (event.action === 'new') return;
    else if (!isPeerSet(event.set)) this.markNetworks('all');
    else this.#markPeers(event);
  }

  #handleLink(event: LinkEvent): void {
    if (event.action === 'del') this.#context.linkDeletions.confirm(event.name);
    const containerId = this.#context.hostLinks.get(event.name);
    if (containerId !== undefined) this.#handleHostLink(event, containerId);
    else if (event.owner?.startsWith(ownerPrefix)) this.#handleRename(event);
    const isBridge = this.#bridgeLinks().has(event.name);
    if (!isBridge) {
      if (event.action === 'new' && isEngineBridge(event.name)) this.#handleEngineBridge(event.name);
      if (containerId === undefined && !isHostLinkName(event.name)) this.#markPeers(event);
      return;
    }
    if (event.action === 'new') this.#bridgeIndexes.add(event.index);
    this.markNetworks('links');
    // The kernel detaches all ports of a deleted bridge.
    if (event.action === 'del') this.#markContainers();
  }

  /** Another engine created a network: its containers reach other hosts through this one. */
  #handleEngineBridge(name: string): void {
    if (this.#context.facts.engineBridges.includes(name)) return;
    this.#hasNewEngineBridge = true;
    this.markNetworks('all');
  }

  #bridgeLinks(): Set<string> {
    const bridges = [...this.#context.networks.keys()].map((id) => bridgeOf(this.#context, id)?.link);
    return new Set(bridges.filter((link) => link !== undefined));
  }

  /** The interface of a starting container passes through intermediate states: only its last state before the repair counts. */
  #handleHostLink(event: LinkEvent, containerId: string): void {
    const isDetached = event.masterIndex === undefined || this.#isOtherBridge(event.masterIndex);
    const isDrifted =
      event.action === 'del' || event.up === false || isDetached || this.#hasOtherMtu(event, containerId);
    if (!isDrifted) this.#driftedLinks.delete(event.name);
    else {
      this.#driftedLinks.set(event.name, containerId);
      this.#schedule.repair();
    }
  }

  #isOtherBridge(masterIndex: number): boolean {
    return this.#bridgeIndexes.size > 0 && !this.#bridgeIndexes.has(masterIndex);
  }

  #hasOtherMtu({ name, mtu }: LinkEvent, containerId: string): boolean {
    const endpoints = this.#context.attachments.get(containerId)?.endpoints;
    const endpoint = endpoints?.find(({ hostLink }) => hostLink === name);
    const bridge = endpoint && bridgeOf(this.#context, endpoint.networkId);
    return mtu !== undefined && bridge !== undefined && mtu !== bridge.mtu;
  }

  /** A Netyard owner text on an interface with an unknown name: another program renamed it. */
  #handleRename({ name, owner = '' }: LinkEvent): void {
    if (this.#context.linkDeletions.has(name) || this.#bridgeLinks().has(name)) return;
    if (owner.startsWith(`${ownerPrefix}network `)) this.markNetworks('links');
    const id = /\(([0-9a-f]{12})\) on /.exec(owner)?.[1];
    const found = [...this.#context.attachments.ids()].find((containerId) => containerId.slice(0, 12) === id);
    if (found === undefined) return;
    this.#containers.add(found);
    this.#schedule.repair();
  }

  /** A write to a setting below net.ipv4.conf, or to net.ipv4.ip_forward, which sets all of them (negative index). */
  #handleNetconf({ linkIndex, forwarding }: Extract<KernelEvent, { type: 'netconf' }>): void {
    if (forwarding === false && (linkIndex < 0 || this.#bridgeIndexes.has(linkIndex))) this.markNetworks('links');
  }

  #handleAddress(event: Extract<KernelEvent, { type: 'address' }>): void {
    const scope = this.#context.peers.affectedBy(event);
    if (!this.#isGateway(event.prefix)) this.#addPeers(scope);
    else if (event.action === 'del') this.markNetworks('links');
  }

  #handleRoute(event: Extract<KernelEvent, { type: 'route' }>): void {
    const { action, to, table, protocol } = event;
    if (table !== undefined && table !== mainTable) return;
    if (action === 'del' && protocol === kernelProtocol && this.#isSubnet(to)) this.markNetworks('links');
    this.#markPeers(event);
  }

  #markPeers(event: KernelEvent): void {
    this.#addPeers(this.#context.peers.affectedBy(event));
  }

  #addPeers(scope: ReconcileScope | undefined): void {
    if (scope === undefined) return;
    this.#peers = uniteScopes(this.#peers, scope);
    this.#schedule.repair();
  }

  #isGateway(prefix: string): boolean {
    return [...this.#context.networks.keys()].some((id) => {
      const bridge = bridgeOf(this.#context, id);
      return bridge !== undefined && prefix === bridge.address;
    });
  }

  #isSubnet(prefix: string): boolean {
    return [...this.#context.networks.keys()].some((id) => bridgeOf(this.#context, id)?.subnet === prefix);
  }

  #markContainers(): void {
    for (const { id } of this.#context.attachments.running()) this.#containers.add(id);
    this.#schedule.repair();
  }
}
