/**
 * Mends what others break, as soon as the kernel tells of it: our bridge, a container's link, our tables and their
 * elements. Events are gathered for a moment and then only what they name is compared; nothing polls.
 */
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { KeyedQueue, Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { Kernel, KernelEvent, KernelObject, KernelOperation } from '@netyard/kernel';
import type { NetworkEvent, NetworkRecord, NetworkSettings } from '../contract.ts';
import { isEngineBridge } from '../firewall/engine-bridges.ts';
import { guardName } from '../firewall/guard.ts';
import { endpointSets, networkSets, tableName } from '../firewall/table.ts';
import type { Sandbox } from '../lookup.ts';
import { bridgeOf } from '../lookup.ts';
import { isHostLinkName, ownerPrefix } from '../object-names.ts';
import { isPeerSet, peerOfRoute, peerOfTunnelEvent, peersOfElement } from '../peers/events.ts';
import type { HostView } from '../peers/host-view.ts';
import type { PeerTable } from '../peers/table.ts';
import type { HostFacts } from '../plan/bridge-network.ts';
import { peerProtocol } from '../plan/peer.ts';
import { planSandbox } from '../plan/sandbox.ts';
import { describe } from './describe.ts';
import type { ExplainDependencies } from './explain.ts';
import { planNetworks } from './explain.ts';
import type { ForeignRulesDependencies } from './foreign-rules.ts';
import { reconcileForeignRules } from './foreign-rules.ts';
import type { HostDependencies } from './host.ts';
import { findEngineBridges } from './host.ts';
import type { Departures } from './link-deletions.ts';
import type { OrphansDependencies } from './orphans.ts';
import { findForeignElements } from './orphans.ts';
import type { MendPeersDependencies } from './peer-reconciler.ts';
import { type ReconcileScope, reconcilePeers, widest } from './peer-reconciler.ts';
import type { PortsDependencies } from './ports.ts';
import { forgetUntranslated } from './ports.ts';
import { RepairPace } from './repair-pace.ts';
import type { RepairSandboxDependencies } from './repair-sandbox.ts';
import { repairSandbox } from './repair-sandbox.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { planInput } from './sandbox-plan.ts';
import { listElements } from './table-elements.ts';

/** What the functions of this file work on. */
export interface WatchDependencies
  extends ExplainDependencies,
    ForeignRulesDependencies,
    HostDependencies,
    MendPeersDependencies,
    OrphansDependencies,
    PortsDependencies,
    RepairSandboxDependencies,
    SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  hostView: HostView | undefined;
  tunnelIndex: number | undefined;
  mtuLimit: number | undefined;
  readonly hostLinks: Map<string, string>;
  readonly departures: Departures;
  readonly queue: KeyedQueue;
  facts: HostFacts;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}

type LinkEvent = Extract<KernelEvent, { type: 'link' }>;
type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

const mainTable = 254;
const gatherMilliseconds = 50;
const sampleMilliseconds = 800;
/** linux/rtnetlink.h RTPROT_KERNEL. */
const kernelProtocol = 2;
/** An element that is gone a moment later was on its way out. */
const strangeMilliseconds = 200;
/** Taking elements away ourselves raises the same event as a stranger doing it: then look, but not in a hurry. */
const ownDeletionMilliseconds = 1000;

export class Reconciler {
  readonly #context: WatchDependencies;
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #elementsTimer: NodeJS.Timeout | undefined;
  #foreignTimer: NodeJS.Timeout | undefined;
  /** Milliseconds that the last check of foreign chains took. */
  #foreignCost = 0;
  #lastOwnDeletion = Number.NEGATIVE_INFINITY;
  #sampler: NodeJS.Timeout | undefined;
  readonly #pace = new RepairPace();
  readonly #containers = new Set<string>();
  /** Host ends of containers' links that are not as they should be, and whose they are. */
  readonly #driftedLinks = new Map<string, string>();
  readonly #bridgeIndexes = new Set<number>();
  /** `links`: bridges with their addresses; `all`: our tables and their elements as well. */
  #networks: 'links' | 'all' | undefined;
  /** What of the peers is to be looked at; names gather, `places` and `all` say more than they. */
  #peers: ReconcileScope | undefined;
  #hasMadeTables = false;
  #hasNewEngineBridge = false;

  constructor(context: WatchDependencies) {
    this.#context = context;
  }

  start(): void {
    this.#watching = this.#follow();
    this.#work = this.#attempt('the bridges', () => this.#readBridges());
    this.#sampler = setInterval(() => void this.#attempt('settings', () => this.#sampleSysctls()), sampleMilliseconds);
    this.#sampler.unref();
  }

  async #readBridges(): Promise<void> {
    const names = this.#bridgeLinks();
    for (const { name, index } of await this.#context.kernel.listLinks())
      if (names.has(name)) this.#bridgeIndexes.add(index);
  }

  /** Most settings below /proc/sys change without an event: a handful of small files is read instead. */
  async #sampleSysctls(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const desired = planNetworks(this.#context, [...this.#context.networks.keys()]);
    const found = await this.#context.kernel.observe(desired.filter(({ kind }) => kind === 'sysctl'));
    if (found.some(({ state }) => state === 'different')) this.#markNetworks('links');
  }

  /** Waits until no mending is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#elementsTimer);
    clearTimeout(this.#foreignTimer);
    clearInterval(this.#sampler);
    await Promise.all([this.#watching, this.#work]);
  }

  ownDeletion(): void {
    this.#lastOwnDeletion = performance.now();
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#context.kernel.watch(this.#stop.signal)) this.#note(event);
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#context.logger.error('watching the kernel ended', { error: messageOf(error) });
    }
  }

  #note(event: KernelEvent): void {
    if (event.type === 'nft') this.#noteNft(event);
    else if (event.type === 'link') this.#noteLink(event);
    else if (event.type === 'address') this.#noteAddress(event);
    else if (event.type === 'route') this.#noteRoute(event);
    else if (event.type === 'netconf') this.#noteNetconf(event);
    else if (event.type === 'neighbour' || event.type === 'fdb') this.#noteTunnel(event);
    else {
      this.#markNetworks('all');
      this.#markAll();
      this.#markPeers('all');
      this.#scheduleForeign();
    }
  }

  #noteNft(event: NftEvent): void {
    if (event.table === guardName) return;
    if (event.table !== tableName) {
      // Sets and their elements have no say in where a chain leads.
      if (event.what !== 'set' && event.what !== 'element') this.#scheduleForeign();
      return;
    }
    if (event.what === 'element') this.#noteElement(event);
    else {
      this.#markNetworks('all');
      this.#markAll();
    }
  }

  /** Of peers the event itself tells which it was; for others the sets are compared. */
  #noteElement(event: NftEvent): void {
    const isOf = (sets: readonly string[]): boolean => sets.some((set) => set === event.set);
    if (isOf(endpointSets) || (event.action === 'new' && isOf(networkSets))) this.#scheduleElements();
    else if (event.action === 'new') return;
    else if (!isPeerSet(event.set)) this.#markNetworks('all');
    else for (const name of peersOfElement(this.#context.peers, event)) this.#markPeers(new Set([name]));
  }

  #noteLink(event: LinkEvent): void {
    if (event.action === 'del') this.#context.departures.confirm(event.name);
    const containerId = this.#context.hostLinks.get(event.name);
    if (containerId !== undefined) this.#noteHostLink(event, containerId);
    else if (event.owner?.startsWith(ownerPrefix)) this.#noteRenamed(event);
    const isBridge = this.#bridgeLinks().has(event.name);
    if (!isBridge) {
      if (event.action === 'new' && isEngineBridge(event.name)) this.#noteEngineBridge(event.name);
      if (containerId === undefined && !isHostLinkName(event.name)) this.#noteUplink(event.name);
      return;
    }
    if (event.action === 'new') this.#bridgeIndexes.add(event.index);
    this.#markNetworks('links');
    // With the bridge all its ports are loose.
    if (event.action === 'del') this.#markAll();
  }

  /** Another engine made a network: its containers reach out through this host. */
  #noteEngineBridge(name: string): void {
    if (this.#context.facts.engineBridges.includes(name)) return;
    this.#hasNewEngineBridge = true;
    this.#markNetworks('all');
  }

  #bridgeLinks(): Set<string> {
    const bridges = [...this.#context.networks.keys()].map((id) => bridgeOf(this.#context, id)?.link);
    return new Set(bridges.filter((link) => link !== undefined));
  }

  /** While a container starts its link passes through states that look wrong: the last one before the repair counts. */
  #noteHostLink(event: LinkEvent, containerId: string): void {
    const isLoose = event.masterIndex === undefined || this.#lacksBridge(event.masterIndex);
    const isWrong = event.action === 'del' || event.up === false || isLoose || this.#hasOtherMtu(event, containerId);
    if (!isWrong) this.#driftedLinks.delete(event.name);
    else {
      this.#driftedLinks.set(event.name, containerId);
      this.#schedule();
    }
  }

  #lacksBridge(masterIndex: number): boolean {
    return this.#bridgeIndexes.size > 0 && !this.#bridgeIndexes.has(masterIndex);
  }

  #hasOtherMtu({ name, mtu }: LinkEvent, containerId: string): boolean {
    const endpoints = this.#context.sandboxes.get(containerId)?.state?.endpoints;
    const endpoint = endpoints?.find(({ hostLink }) => hostLink === name);
    const bridge = endpoint && bridgeOf(this.#context, endpoint.networkId);
    return mtu !== undefined && bridge !== undefined && mtu !== bridge.mtu;
  }

  /** The owner text of one of ours under a name that is none of ours: somebody renamed it. */
  #noteRenamed({ name, owner = '' }: LinkEvent): void {
    if (this.#context.departures.has(name) || this.#bridgeLinks().has(name)) return;
    if (owner.startsWith(`${ownerPrefix}network `)) this.#markNetworks('links');
    const id = /\(([0-9a-f]{12})\) on /.exec(owner)?.[1];
    const found = [...this.#context.sandboxes.keys()].find((containerId) => containerId.slice(0, 12) === id);
    if (found === undefined) return;
    this.#containers.add(found);
    this.#schedule();
  }

  /** Written by somebody below net.ipv4.conf, or to net.ipv4.ip_forward, which is all of them. */
  #noteNetconf({ linkIndex, forwarding }: Extract<KernelEvent, { type: 'netconf' }>): void {
    if (forwarding === false && (linkIndex < 0 || this.#bridgeIndexes.has(linkIndex))) this.#markNetworks('links');
  }

  /** With a link that goes down its routes go too, of which the kernel does not tell. */
  #noteUplink(name: string): void {
    this.#context.hostView = undefined;
    const isUsed = [...this.#context.peers.values()].some(({ path }) => path?.link === name || path?.uplink === name);
    this.#markPeers(isUsed ? 'all' : 'places');
  }

  #noteAddress({ action, prefix }: Extract<KernelEvent, { type: 'address' }>): void {
    this.#context.hostView = undefined;
    if (!this.#isGateway(prefix)) this.#markPeers('all');
    else if (action === 'del') this.#markNetworks('links');
  }

  #noteRoute({ action, to, table, protocol }: Extract<KernelEvent, { type: 'route' }>): void {
    if (table !== undefined && table !== mainTable) return;
    if (action === 'del' && protocol === kernelProtocol && this.#isSubnet(to)) this.#markNetworks('links');
    if (protocol !== peerProtocol) {
      this.#context.hostView = undefined;
      this.#markPeers('places');
      return;
    }
    const name = action === 'del' ? peerOfRoute(this.#context.peers, to) : undefined;
    if (name !== undefined) this.#markPeers(new Set([name]));
  }

  #noteTunnel(event: Extract<KernelEvent, { type: 'neighbour' | 'fdb' }>): void {
    if (event.linkIndex !== this.#context.tunnelIndex) return;
    const name = peerOfTunnelEvent(this.#context.peers, event);
    if (name !== undefined) this.#markPeers(new Set([name]));
  }

  #markPeers(scope: ReconcileScope): void {
    const { peers } = this.#context;
    if (peers.size === 0 && peers.refused.size === 0) return;
    this.#peers = widest(this.#peers, scope);
    this.#schedule();
  }

  #isGateway(prefix: string): boolean {
    return [...this.#context.networks.keys()].some((id) => {
      const bridge = bridgeOf(this.#context, id);
      return bridge !== undefined && prefix === `${bridge.gateway}/${bridge.prefixLength}`;
    });
  }

  #isSubnet(prefix: string): boolean {
    return [...this.#context.networks.keys()].some((id) => bridgeOf(this.#context, id)?.subnet === prefix);
  }

  #markNetworks(scope: 'links' | 'all'): void {
    if (this.#networks !== 'all') this.#networks = scope;
    this.#schedule();
  }

  #markAll(): void {
    for (const [id, { state }] of this.#context.sandboxes) if (state) this.#containers.add(id);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#work = this.#work.then(() => this.#mend());
    }, this.#pace.delay(performance.now()));
  }

  #scheduleElements(): void {
    if (this.#elementsTimer !== undefined || this.#stop.signal.aborted) return;
    const ours = performance.now() - this.#lastOwnDeletion < ownDeletionMilliseconds;
    const wait = ours ? ownDeletionMilliseconds : gatherMilliseconds;
    this.#elementsTimer = setTimeout(() => {
      this.#elementsTimer = undefined;
      this.#work = this.#work.then(() => this.#findMissingElements());
    }, wait);
  }

  /** Other programs rewrite long chains at once: what a check costs is waited ten times before the next one. */
  #scheduleForeign(): void {
    if (this.#foreignTimer !== undefined || this.#stop.signal.aborted) return;
    const wait = Math.max(this.#pace.delay(performance.now()), this.#foreignCost * 10);
    this.#foreignTimer = setTimeout(() => {
      this.#foreignTimer = undefined;
      this.#work = this.#work.then(() => this.#attempt('chains of other programs', () => this.#checkForeign()));
    }, wait);
  }

  async #checkForeign(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const begin = performance.now();
    const operations = await reconcileForeignRules(this.#context);
    this.#foreignCost = performance.now() - begin;
    this.#reportRepair(operations);
  }

  async #mend(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const containers = new Set([...this.#containers, ...this.#driftedLinks.values()]);
    this.#containers.clear();
    this.#driftedLinks.clear();
    const networks = this.#networks;
    this.#networks = undefined;
    if (networks !== undefined) await this.#attempt('the networks', () => this.#reconcileNetworks(networks));
    const scope = this.#peers;
    this.#peers = undefined;
    if (scope !== undefined)
      await this.#attempt('the peers', async () => this.#reportRepair(await reconcilePeers(this.#context, scope)));
    for (const id of containers) {
      await this.#attempt(`container ${id}`, () =>
        this.#context.queue.run(id, async () => {
          const sandbox = this.#context.sandboxes.get(id);
          if (sandbox) this.#noteRepairs(await repairSandbox(this.#context, sandbox));
        }),
      );
    }
    if (this.#hasMadeTables) await this.#attempt('connections', () => forgetUntranslated(this.#context));
    this.#hasMadeTables = false;
  }

  /** A bridge is told of whenever a container comes or goes, so it is not the time to look through the tables. */
  async #reconcileNetworks(scope: 'links' | 'all'): Promise<void> {
    const { kernel, networks } = this.#context;
    if (this.#hasNewEngineBridge)
      this.#context.facts = { ...this.#context.facts, engineBridges: await findEngineBridges(this.#context) };
    this.#hasNewEngineBridge = false;
    const isOfTables = ({ kind }: KernelObject): boolean => kind === 'nft-table' || kind === 'nft-element';
    const wanted = planNetworks(this.#context, [...networks.keys()]);
    const objects = scope === 'all' ? wanted : wanted.filter((object) => !isOfTables(object));
    const report = await kernel.apply({ owner: 'networks', objects });
    if (report.operations.some(({ object }) => object.kind === 'nft-table')) this.#hasMadeTables = true;
    this.#reportRepair(report.operations);
    // Peers stand on the bridge's address and on the table.
    if (report.operations.length > 0) this.#peers = 'all';
  }

  /** What all containers stand on is told as the default bridge's. */
  #reportRepair(operations: readonly KernelOperation[]): void {
    this.#noteRepairs(operations);
    const bridge = [...this.#context.networks.values()].find((record) => record.driver === 'bridge');
    if (operations.length === 0 || !bridge) return;
    const detail = operations.map(({ action, object }) => `${action} ${describe(object)}`).join('; ');
    this.#context.emit({
      action: 'repair',
      networkId: bridge.id,
      networkName: bridge.name,
      driver: bridge.driver,
      detail,
    });
  }

  /** Whoever undoes repairs is not known to the kernel's events: the log names what is contested. */
  #noteRepairs(operations: readonly KernelOperation[]): void {
    const contested = this.#pace.note(
      operations.map(({ object }) => describe(object)),
      performance.now(),
    );
    for (const thing of contested)
      this.#context.logger.warn('another program keeps undoing a repair: repairs are made once a second for now', {
        thing,
      });
  }

  /** One listing of each set tells whose elements are missing. */
  async #findMissingElements(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await this.#attempt('elements', async () => {
      const lists = await Promise.all(endpointSets.map((set) => listElements(this.#context.kernel, set)));
      const present = new Set(
        endpointSets.flatMap((set, index) => (lists[index] ?? []).map(({ key }) => `${set} ${key}`)),
      );
      for (const [id, { config, state }] of this.#context.sandboxes) {
        if (!state) continue;
        const input = planInput(this.#context, { config, state }, { files: false });
        const wanted = planSandbox(input).filter((object) => object.kind === 'nft-element');
        if (wanted.some(({ set, key }) => !present.has(`${set} ${key}`))) this.#containers.add(id);
      }
      await this.#removeForeignElements();
    });
    await this.#mend();
  }

  /** What a container takes along as it stops is listed for a moment: only what stays is somebody else's. */
  async #removeForeignElements(): Promise<void> {
    const first = await findForeignElements(this.#context);
    if (first.length === 0) return;
    await setTimeoutPromise(strangeMilliseconds);
    if (this.#stop.signal.aborted) return;
    const before = new Set(first.map(describe));
    const objects = (await findForeignElements(this.#context)).filter((object) => before.has(describe(object)));
    if (objects.length === 0) return;
    const { operations } = await this.#context.kernel.remove({ owner: 'elements of others', objects });
    this.#reportRepair(operations);
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.logger.error('mending failed', { what, error: messageOf(error) });
    }
  }
}
