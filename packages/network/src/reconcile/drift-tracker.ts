/**
 * Maps kernel events to the parts of the desired state that may have drifted: networks, containers, peers, elements and
 * chains of other programs. Decides only what to compare; the reconciler compares and repairs it.
 */

import type { Kernel, KernelEvent } from '@netyard/kernel';
import { isPeerSet, type Peers, tunnelTable } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { EndpointState, NetworkSettings } from '../contract.ts';
import { masterOf } from '../drivers/bridge/segment.ts';
import { valuesOf } from '../family.ts';
import { bridgeSets } from '../firewall/bridge-table.ts';
import { linkOfElementKey } from '../firewall/element-key.ts';
import { isEngineBridge } from '../firewall/engine-bridges.ts';
import { guardName } from '../firewall/guard.ts';
import { endpointSets, networkSets, tableName } from '../firewall/table.ts';
import type { HostLinks } from '../host-links.ts';
import { bridgeOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';
import { isHostLinkName, ownerPrefix, segmentOfLink, segmentOwnerPrefix, vlanOwnerPrefix } from '../object-names.ts';
import { type ElementDrift, EndpointElements } from './endpoint-elements.ts';
import type { HostUseCache } from './host-use.ts';
import type { LinkDeletions } from './link-deletions.ts';
import { isPlannedChange } from './network-elements.ts';
import { PendingDrift } from './pending-drift.ts';
import { networkOfRoute } from './route-conflicts.ts';

/** Dependencies of the functions in this file. */
export interface DriftTrackerDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: NetworkTable;
  readonly hostUse: Pick<HostUseCache, 'drop'>;
  readonly attachments: Attachments;
  readonly peers: Pick<Peers, 'affectedBy'>;
  mtuLimit: number | undefined;
  readonly hostLinks: HostLinks;
  readonly linkDeletions: LinkDeletions;
  facts: HostFacts;
}

/** Called when something has to be compared, each with a delay of its own. */
export interface DriftSchedule {
  repair(): void;
  elements(): void;
  /** Elements of endpoints changed that are compared without a dump: see `compareElements`. */
  endpointElements(): void;
  foreignChains(): void;
  /** Routes that overlap with a network's subnet changed. */
  routes(): void;
}

type LinkEvent = Extract<KernelEvent, { type: 'link' }>;
type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

const mainTable = 254;
/** linux/rtnetlink.h RT_TABLE_LOCAL: the host's own addresses, which have events of their own. */
const localTable = 255;
/** linux/rtnetlink.h RTPROT_KERNEL. */
const kernelProtocol = 2;

/** The kernel adds these routes with each interface. */
const isLocalRoute = (to: string): boolean => /^(?:fe80:|ff)/.test(to);

export class DriftTracker {
  /** What the events so far may have changed. */
  readonly pending: PendingDrift;
  readonly #context: DriftTrackerDependencies;
  readonly #schedule: DriftSchedule;
  /** Names of the bridges, and of the pairs that join them, by interface index. */
  readonly #bridgeIndexes = new Map<number, string>();
  /** Interface index of each parent that exists, by name. */
  readonly #parents = new Map<string, number>();
  /** Interface index of each uplink with an NDP proxy that is up, by name. */
  readonly #uplinks = new Map<string, number>();
  readonly #endpointElements = new EndpointElements();
  #hasNewEngineBridge = false;

  constructor(context: DriftTrackerDependencies, schedule: DriftSchedule) {
    this.#context = context;
    this.#schedule = schedule;
    this.pending = new PendingDrift(context, () => schedule.repair());
  }

  async readLinks(): Promise<void> {
    for (const { name, index, up } of await this.#context.kernel.listLinks()) {
      if (this.#context.networks.byLink(name) !== undefined) this.#bridgeIndexes.set(index, name);
      if (this.#context.networks.byParent(name) !== undefined) this.#parents.set(name, index);
      if (up && this.#context.networks.byNdpProxy(name) !== undefined) this.#uplinks.set(name, index);
    }
  }

  /**
   * Compares the elements of endpoints that changed with the plans; adds the containers whose elements were deleted to
   * the next comparison.
   */
  compareElements(): ElementDrift {
    const drift = this.#endpointElements.compare(this.#context);
    for (const id of drift.incomplete) this.pending.addContainer(id);
    return drift;
  }

  /** Another engine created a bridge since the last call of `clearNewEngineBridge`. */
  get hasNewEngineBridge(): boolean {
    return this.#hasNewEngineBridge;
  }

  clearNewEngineBridge(): void {
    this.#hasNewEngineBridge = false;
  }

  handle(event: KernelEvent): void {
    if (event.type === 'nft') this.#handleNft(event);
    else if (event.type === 'link') this.#handleLink(event);
    else if (event.type === 'address') this.#handleAddress(event);
    else if (event.type === 'route') this.#handleRoute(event);
    else if (event.type === 'netconf') this.#handleNetconf(event);
    else if (event.type === 'neighbour' || event.type === 'fdb') this.#markPeers(event);
    else {
      this.#context.hostUse.drop();
      this.pending.markAll();
      this.#markPeers(event);
      this.#schedule.foreignChains();
      this.#schedule.routes();
    }
  }

  #handleNft(event: NftEvent): void {
    if (event.table === guardName) return;
    if (event.table === tunnelTable.table) {
      this.#markPeers(event);
      return;
    }
    if (event.table !== tableName) {
      // Sets and their elements do not change which chains a packet traverses.
      if (event.what !== 'set' && event.what !== 'element') this.#schedule.foreignChains();
      return;
    }
    if (event.what === 'element') this.#handleElement(event);
    else this.pending.markAll();
  }

  /** An event of a peer's element identifies the peer; for other elements the sets are compared. */
  #handleElement(event: NftEvent): void {
    const isOf = (sets: readonly string[]): boolean => sets.some((set) => set === event.set);
    if (isOf(bridgeSets) && event.keys?.some((key) => segmentOfLink(linkOfElementKey(key)) !== undefined)) {
      if (event.action === 'del') this.pending.markNetworks('all');
      return;
    }
    if (isOf(networkSets) && isPlannedChange(this.#context, event)) return;
    if (this.#endpointElements.note(event)) this.#schedule.endpointElements();
    else if (isOf(endpointSets) || (event.action === 'new' && isOf(networkSets))) this.#schedule.elements();
    else if (event.action === 'new') return;
    else if (!isPeerSet(event.set)) this.pending.markNetworks('all');
    else this.#markPeers(event);
  }

  #handleLink(event: LinkEvent): void {
    if (event.action === 'del') this.#context.linkDeletions.confirm(event.name);
    this.#handleParent(event);
    this.#handleUplink(event);
    const containerId = this.#context.hostLinks.ownerOf(event.name);
    if (containerId !== undefined) this.#handleHostLink(event, containerId);
    else if (event.owner?.startsWith(ownerPrefix)) this.#handleRename(event);
    const networkId = this.#context.networks.byLink(event.name);
    if (networkId === undefined) {
      const isOwn = containerId !== undefined || isHostLinkName(event.name) || this.#bridgeIndexes.has(event.index);
      if (event.action === 'del') this.#bridgeIndexes.delete(event.index);
      if (isOwn) return;
      if (event.action === 'new' && isEngineBridge(event.name)) this.#handleEngineBridge(event.name);
      this.#context.hostUse.drop();
      this.#markPeers(event);
      return;
    }
    if (event.action === 'new') this.#bridgeIndexes.set(event.index, event.name);
    else this.#bridgeIndexes.delete(event.index);
    const segment = segmentOfLink(event.name)?.segment;
    if (segment !== undefined) {
      this.#markSegment(networkId, segment); // its ports have events of their own
      return;
    }
    this.pending.markNetwork(networkId);
    // The kernel detaches all ports of a deleted bridge, and deletes the routes of an interface that is down.
    if (event.action === 'del') this.pending.markContainers(networkId);
    else if (event.up === false) this.#markRoutes(networkId);
  }

  /** Unless it has no endpoints: then it is about to be removed. */
  #markSegment(networkId: string, segment: number): void {
    if (this.#context.hostLinks.countOn(networkId, segment) > 0) this.pending.markSegment(networkId, segment);
  }

  /** The routes to endpoints of a network, if it has any. */
  #markRoutes(networkId: string): void {
    if (this.#context.networks.routesToEndpoints(networkId)) this.pending.markContainers(networkId);
  }

  /** The kernel deletes the interfaces in containers with their parent; they are created again when a new one exists. */
  #handleParent({ action, name, index, up }: LinkEvent): void {
    const networkIds = this.#context.networks.byParent(name);
    if (action === 'del') this.#parents.delete(name);
    else if (up !== false) this.#restoreVlans(name);
    if (networkIds === undefined || action === 'del' || this.#parents.get(name) === index) return;
    this.#parents.set(name, index);
    for (const id of networkIds) this.pending.markContainers(id);
  }

  /** The kernel deletes the proxy entries of an interface that goes down. */
  #handleUplink({ action, name, index, up }: LinkEvent): void {
    const networkIds = this.#context.networks.byNdpProxy(name);
    if (networkIds === undefined) return;
    if (action === 'del' || up === false) this.#uplinks.delete(name);
    else if (this.#uplinks.get(name) !== index) {
      this.#uplinks.set(name, index);
      for (const id of networkIds) this.pending.markContainers(id);
    }
  }

  /** VLAN sub-interfaces are deleted with the interface; they need one that is up. */
  #restoreVlans(base: string): void {
    for (const id of this.#context.networks.byVlanBase(base) ?? []) {
      const link = this.#context.networks.get(id)?.options.parent ?? '';
      if (!this.#parents.has(link)) this.pending.markNetwork(id);
    }
  }

  /** Another engine created a network: its containers reach other hosts through this one. */
  #handleEngineBridge(name: string): void {
    if (this.#context.facts.engineBridges.includes(name)) return;
    this.#hasNewEngineBridge = true;
    this.pending.markNetworks('all');
  }

  /** The interface of a starting container passes through intermediate states: only its last state before the repair counts. */
  #handleHostLink(event: LinkEvent, containerId: string): void {
    const isDrifted = event.action === 'del' || event.up === false || this.#differsFromPlan(event, containerId);
    if (isDrifted) this.pending.markHostLink(event.name, containerId);
    else this.pending.clearHostLink(event.name);
  }

  /** It is no port of its network's bridge, or has another MTU than that. */
  #differsFromPlan({ name, mtu, masterIndex }: LinkEvent, containerId: string): boolean {
    if (masterIndex === undefined) return true;
    const endpoints = this.#context.attachments.get(containerId)?.endpoints;
    const endpoint = endpoints?.find(({ hostLink }) => hostLink === name);
    const bridge = endpoint && bridgeOf(this.#context, endpoint.networkId);
    const master = this.#bridgeIndexes.get(masterIndex);
    const desired = endpoint && bridge && masterOf(bridge, endpoint, this.#context.facts);
    const isElsewhere = this.#bridgeIndexes.size > 0 && (master === undefined || (desired && master !== desired));
    return isElsewhere === true || (mtu !== undefined && bridge !== undefined && mtu !== bridge.mtu);
  }

  /** A Netyard owner text on an interface with an unknown name: another program renamed it. */
  #handleRename({ name, index, owner = '' }: LinkEvent): void {
    if (this.#context.linkDeletions.has(name) || this.#context.networks.byLink(name) !== undefined) return;
    if (this.#bridgeIndexes.get(index) === name) return; // of a network that is being removed
    const prefixes = [`${ownerPrefix}network `, segmentOwnerPrefix, vlanOwnerPrefix];
    if (prefixes.some((prefix) => owner.startsWith(prefix))) this.pending.markNetworks('links');
    const id = /\(([0-9a-f]{12})\) on /.exec(owner)?.[1];
    const found = [...this.#context.attachments.ids()].find((containerId) => containerId.slice(0, 12) === id);
    if (found !== undefined) this.pending.markContainer(found);
  }

  /**
   * A write to a setting below net.ipv4.conf, or to net.ipv4.ip_forward, which sets all of them (negative index, then one
   * event for each). Networks' own bridges forward, those of segments do not.
   */
  #handleNetconf({ linkIndex, forwarding }: Extract<KernelEvent, { type: 'netconf' }>): void {
    if (linkIndex < 0 && forwarding === false) this.pending.markNetworks('links');
    const link = this.#bridgeIndexes.get(linkIndex) ?? '';
    const networkId = this.#context.networks.byLink(link);
    if (networkId === undefined) return;
    const segment = segmentOfLink(link)?.segment;
    if (segment === undefined && forwarding === false) this.pending.markNetwork(networkId);
    if (segment !== undefined && forwarding === true) this.#markSegment(networkId, segment);
  }

  #handleAddress(event: Extract<KernelEvent, { type: 'address' }>): void {
    const scope = this.#context.peers.affectedBy(event);
    const networkId = this.#context.networks.byAddress(event.prefix);
    if (networkId === undefined) {
      // The address of a removed bridge is deleted before its interface.
      // Each interface has a link-local address: no automatic subnet overlaps with it.
      const isOwn = event.prefix.startsWith('fe80:') || this.#bridgeIndexes.has(event.linkIndex);
      if (!isOwn) this.#context.hostUse.drop();
      this.pending.markPeers(scope);
    } else if (event.action === 'del') {
      this.pending.markNetwork(networkId);
      this.#markRoutes(networkId); // which have it as source
    }
  }

  #handleRoute(event: Extract<KernelEvent, { type: 'route' }>): void {
    const { action, to, table, protocol } = event;
    const networkId = this.#context.networks.bySubnet(to);
    if (networkId === undefined && table !== localTable && !isLocalRoute(to)) this.#context.hostUse.drop();
    if (table !== undefined && table !== mainTable) return;
    if (networkOfRoute(this.#context.networks, to) !== undefined) this.#schedule.routes();
    if (action === 'del' && protocol === kernelProtocol && networkId !== undefined) this.pending.markNetwork(networkId);
    if (action === 'del' && this.#context.networks.routesToEndpoints()) this.#markRoute(to);
    this.#markPeers(event);
  }

  /** The route to an endpoint of a network that has routes to its endpoints. */
  #markRoute(to: string): void {
    const address = to.replace(/\/(32|128)$/, '');
    if (address.includes('/')) return;
    const isLost = ({ networkId, addresses }: EndpointState): boolean =>
      this.#context.networks.routesToEndpoints(networkId) && valuesOf(addresses).some((one) => one.address === address);
    for (const { id, endpoints } of this.#context.attachments.running())
      if (endpoints.some(isLost)) this.pending.markContainer(id);
  }

  #markPeers(event: KernelEvent): void {
    this.pending.markPeers(this.#context.peers.affectedBy(event));
  }
}
