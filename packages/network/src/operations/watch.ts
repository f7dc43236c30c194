/**
 * Mends what others break, as soon as the kernel tells of it: our bridge, a container's link, our tables and their
 * elements. Events are gathered for a moment and then only what they name is compared; nothing polls.
 */
import { messageOf } from '@netyard/core';
import type { KernelEvent, KernelObject, KernelOperation } from '@netyard/kernel';
import { bridgeOf, type Context } from '../context.ts';
import { endpointSets, tableName } from '../firewall/table.ts';
import { isPeerSet, peerOfRoute, peerOfTunnelEvent, peersOfElement } from '../peers/events.ts';
import { isHostLinkName } from '../plan/names.ts';
import { peerProtocol } from '../plan/peer.ts';
import { planSandbox } from '../plan/sandbox.ts';
import { planNetworks } from './explain.ts';
import { type MendScope, mendPeers, widest } from './mend-peers.ts';
import { listElements } from './orphans.ts';
import { planInput } from './sandbox-plan.ts';
import { describe, mendSandbox } from './start.ts';

type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

const mainTable = 254;
const gatherMilliseconds = 50;
/** Taking elements away ourselves raises the same event as a stranger doing it: then look, but not in a hurry. */
const ownDeletionMilliseconds = 1000;

export class Mender {
  readonly #context: Context;
  readonly #stop = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #elementsTimer: NodeJS.Timeout | undefined;
  #lastOwnDeletion = Number.NEGATIVE_INFINITY;
  readonly #containers = new Set<string>();
  /** `links`: bridges with their addresses; `all`: our tables and their elements as well. */
  #networks: 'links' | 'all' | undefined;
  /** What of the peers is to be looked at; names gather, `places` and `all` say more than they. */
  #peers: MendScope | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  start(): void {
    this.#watching = this.#follow();
  }

  /** Waits until no mending is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#elementsTimer);
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
    else if (event.type === 'neighbour' || event.type === 'fdb') this.#noteTunnel(event);
    else {
      this.#markNetworks('all');
      this.#markAll();
      this.#markPeers('all');
    }
  }

  #noteNft(event: NftEvent): void {
    if (event.table !== tableName || event.action !== 'del') return;
    if (event.what === 'element') this.#noteElement(event);
    else {
      this.#markNetworks('all');
      this.#markAll();
    }
  }

  /** Of peers the event itself tells which it was; for others the sets are compared. */
  #noteElement(event: NftEvent): void {
    if (endpointSets.some((set) => set === event.set)) this.#scheduleElements();
    else if (!isPeerSet(event.set)) this.#markNetworks('all');
    else for (const name of peersOfElement(this.#context.peers, event)) this.#markPeers(new Set([name]));
  }

  #noteLink(event: Extract<KernelEvent, { type: 'link' }>): void {
    if (event.action === 'del') this.#context.departures.confirm(event.name);
    const containerId = this.#context.hostLinks.get(event.name);
    if (containerId !== undefined && event.action === 'del') {
      this.#containers.add(containerId);
      this.#schedule();
    }
    const isBridge = [...this.#context.networks.keys()].some((id) => bridgeOf(this.#context, id)?.link === event.name);
    if (!isBridge) {
      if (containerId === undefined && !isHostLinkName(event.name)) this.#noteUplink(event.name);
      return;
    }
    this.#markNetworks('links');
    // With the bridge all its ports are loose.
    if (event.action === 'del') this.#markAll();
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

  #markPeers(scope: MendScope): void {
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
    }, gatherMilliseconds);
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

  async #mend(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const containers = [...this.#containers];
    this.#containers.clear();
    const networks = this.#networks;
    this.#networks = undefined;
    if (networks !== undefined) await this.#attempt('the networks', () => this.#mendNetworks(networks));
    const scope = this.#peers;
    this.#peers = undefined;
    if (scope !== undefined)
      await this.#attempt('the peers', async () => this.#tellRepair(await mendPeers(this.#context, scope)));
    for (const id of containers) {
      await this.#attempt(`container ${id}`, () =>
        this.#context.queue.run(id, async () => {
          const sandbox = this.#context.sandboxes.get(id);
          if (sandbox) await mendSandbox(this.#context, sandbox);
        }),
      );
    }
  }

  /** A bridge is told of whenever a container comes or goes, so it is not the time to look through the tables. */
  async #mendNetworks(scope: 'links' | 'all'): Promise<void> {
    const { kernel, networks } = this.#context;
    const isOfTables = ({ kind }: KernelObject): boolean => kind === 'nft-table' || kind === 'nft-element';
    const wanted = planNetworks(this.#context, [...networks.keys()]);
    const objects = scope === 'all' ? wanted : wanted.filter((object) => !isOfTables(object));
    const report = await kernel.apply({ owner: 'networks', objects });
    this.#tellRepair(report.operations);
    // Peers stand on the bridge's address and on the table.
    if (report.operations.length > 0) this.#peers = 'all';
  }

  /** What all containers stand on is told as the default bridge's. */
  #tellRepair(operations: readonly KernelOperation[]): void {
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

  /** One listing of each set tells whose elements are missing. */
  async #findMissingElements(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await this.#attempt('elements', async () => {
      const lists = await Promise.all(endpointSets.map((set) => listElements(this.#context, set)));
      const present = new Set(
        endpointSets.flatMap((set, index) => (lists[index] ?? []).map(({ key }) => `${set} ${key}`)),
      );
      for (const [id, { config, state }] of this.#context.sandboxes) {
        if (!state) continue;
        const input = planInput(this.#context, { config, state }, { files: false });
        const wanted = planSandbox(input).filter((object) => object.kind === 'nft-element');
        if (wanted.some(({ set, key }) => !present.has(`${set} ${key}`))) this.#containers.add(id);
      }
    });
    await this.#mend();
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.logger.error('mending failed', { what, error: messageOf(error) });
    }
  }
}
