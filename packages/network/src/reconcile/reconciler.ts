/**
 * Repairs drift of Netyard's bridges, container interfaces, tables and elements when the kernel reports a change. Events
 * are collected for a short time, then only the objects they concern are compared; apart from sysctls nothing is polled.
 */
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { NetworkEvent, NetworkSettings } from '../contract.ts';
import { allowsSegments } from '../drivers/bridge/segment.ts';
import { endpointSets, tablesOf } from '../firewall/table.ts';
import type { HostLinks } from '../host-links.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';
import { usesIpv6 } from '../plan/host.ts';
import { removeSegments } from '../segments.ts';
import { applyNetworks } from './apply-networks.ts';
import { describe, describeRepair } from './describe.ts';
import { DriftTracker, type DriftTrackerDependencies } from './drift-tracker.ts';
import { type ForeignRulesDependencies, reconcileForeignRules } from './foreign-rules.ts';
import { findEngineBridges, type HostDependencies, readBridgeNetfilter } from './host.ts';
import { findForeignElements, type OrphansDependencies } from './orphans.ts';
import type { Drift, NetworkScope } from './pending-drift.ts';
import { type PlanNetworksDependencies, planNetworks } from './plan-networks.ts';
import { RepairPace } from './repair-pace.ts';
import { RouteConflicts, type RouteConflictsDependencies } from './route-conflicts.ts';
import { listElements } from './table-elements.ts';
import { flushUntranslatedConntrack, type UntranslatedDependencies } from './untranslated.ts';

/** Dependencies of the functions in this file. */
export interface ReconcilerDependencies
  extends DriftTrackerDependencies,
    ForeignRulesDependencies,
    HostDependencies,
    OrphansDependencies,
    PlanNetworksDependencies,
    RouteConflictsDependencies,
    UntranslatedDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: NetworkTable;
  readonly attachments: Attachments;
  readonly hostLinks: HostLinks;
  readonly knownSegments: Set<string>;
  readonly peers: Peers;
  mtuLimit: number | undefined;
  facts: HostFacts;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  ownDeletion(): void;
}

const gatherMilliseconds = 50;
const sampleMilliseconds = 800;
const routesMilliseconds = 500;
const networksPerSample = 50;
/** An unknown element that is gone after this time belonged to a stopping container. */
const foreignElementMilliseconds = 200;
/** Netyard's own deletions of elements cause the same events as foreign ones: compare after them, but with less urgency. */
const ownDeletionMilliseconds = 1000;

export class Reconciler {
  readonly #context: ReconcilerDependencies;
  readonly #stop = new AbortController();
  readonly #drift: DriftTracker;
  #watching: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #elementsTimer: NodeJS.Timeout | undefined;
  #endpointElementsTimer: NodeJS.Timeout | undefined;
  #foreignTimer: NodeJS.Timeout | undefined;
  #routesTimer: NodeJS.Timeout | undefined;
  readonly #conflicts = new RouteConflicts();
  /** Duration of the last check of foreign chains, in milliseconds. */
  #foreignCost = 0;
  #lastOwnDeletion = Number.NEGATIVE_INFINITY;
  #sampler: NodeJS.Timeout | undefined;
  /** Position of the next network to sample. */
  #sampled = 0;
  readonly #pace = new RepairPace();
  #hasCreatedTables = false;
  /** No port belongs on a segment any more: after the ports were moved, the segments' bridges are removed. */
  #dropsSegments = false;

  constructor(context: ReconcilerDependencies) {
    this.#context = context;
    this.#drift = new DriftTracker(context, {
      repair: () => this.#schedule(),
      elements: () => this.#scheduleElements(),
      endpointElements: () => this.#scheduleEndpointElements(),
      foreignChains: () => this.#scheduleForeign(),
      routes: () => this.#scheduleRoutes(),
    });
  }

  start(): void {
    this.#watching = this.#watch();
    this.#work = this.#attempt('the interfaces', () => this.#drift.readLinks());
    this.#sampler = setInterval(() => void this.#attempt('settings', () => this.#sampleSysctls()), sampleMilliseconds);
    this.#sampler.unref();
    this.#scheduleRoutes();
  }

  /**
   * Most settings below /proc/sys change without an event: these few small files are polled. Of many networks, some at a
   * time.
   */
  async #sampleSysctls(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await this.#followBridgeNetfilter();
    for (const id of this.#nextSampled()) {
      const sysctls = planNetworks(this.#context, [id]).filter(({ kind }) => kind === 'sysctl');
      const found = await this.#context.kernel.observe(sysctls);
      if (!found.some(({ state }) => state === 'different')) continue;
      this.#drift.pending.markNetwork(id);
      for (const segment of this.#context.hostLinks.segmentsOf(id)) this.#drift.pending.markSegment(id, segment);
    }
  }

  /** Another engine may load br_netfilter at any time, and an administrator switch it off: ports depend on it. */
  async #followBridgeNetfilter(): Promise<void> {
    const { facts, kernel } = this.#context;
    const now = await readBridgeNetfilter(kernel);
    if (facts.bridgeNetfilter === now.bridgeNetfilter && facts.bridgeNetfilter6 === now.bridgeNetfilter6) return;
    this.#context.facts = { ...this.#context.facts, ...now };
    this.#dropsSegments = !allowsSegments(now);
    this.#drift.pending.markAll();
  }

  #nextSampled(): string[] {
    const ids = [...this.#context.networks.keys()];
    const start = this.#sampled < ids.length ? this.#sampled : 0;
    this.#sampled = start + networksPerSample;
    return ids.slice(start, this.#sampled);
  }

  /** Waits for a repair in progress. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#elementsTimer);
    clearTimeout(this.#endpointElementsTimer);
    clearTimeout(this.#foreignTimer);
    clearTimeout(this.#routesTimer);
    clearInterval(this.#sampler);
    await Promise.all([this.#watching, this.#work]);
  }

  ownDeletion(): void {
    this.#lastOwnDeletion = performance.now();
  }

  async #watch(): Promise<void> {
    try {
      for await (const event of this.#context.kernel.watch(this.#stop.signal)) this.#drift.handle(event);
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#context.logger.error('watching the kernel ended', { error: messageOf(error) });
    }
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#work = this.#work.then(() => this.#repair());
    }, this.#pace.delay(performance.now()));
  }

  #scheduleElements(): void {
    if (this.#elementsTimer !== undefined || this.#stop.signal.aborted) return;
    const isOwn = performance.now() - this.#lastOwnDeletion < ownDeletionMilliseconds;
    const wait = isOwn ? ownDeletionMilliseconds : gatherMilliseconds;
    this.#elementsTimer = setTimeout(() => {
      this.#elementsTimer = undefined;
      this.#work = this.#work.then(() => this.#findMissingElements());
    }, wait);
  }

  #scheduleEndpointElements(): void {
    if (this.#endpointElementsTimer !== undefined || this.#stop.signal.aborted) return;
    this.#endpointElementsTimer = setTimeout(() => {
      this.#endpointElementsTimer = undefined;
      this.#work = this.#work.then(() => this.#compareEndpointElements());
    }, gatherMilliseconds);
  }

  /** Other programs rewrite long chains at once: the next check waits ten times as long as the last one took. */
  #scheduleForeign(): void {
    if (this.#foreignTimer !== undefined || this.#stop.signal.aborted) return;
    const wait = Math.max(this.#pace.delay(performance.now()), this.#foreignCost * 10);
    this.#foreignTimer = setTimeout(() => {
      this.#foreignTimer = undefined;
      this.#work = this.#work.then(() => this.#attemptRepair('chains of other programs', () => this.#checkForeign()));
    }, wait);
  }

  /** One dump for all changes of some time. */
  #scheduleRoutes(): void {
    if (this.#routesTimer !== undefined || this.#stop.signal.aborted) return;
    this.#routesTimer = setTimeout(() => {
      this.#routesTimer = undefined;
      this.#work = this.#work.then(() => this.#attempt('routes', () => this.#conflicts.check(this.#context)));
    }, routesMilliseconds);
    this.#routesTimer.unref();
  }

  async #checkForeign(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const begin = performance.now();
    const operations = await reconcileForeignRules(this.#context);
    this.#foreignCost = performance.now() - begin;
    this.#reportRepair(operations);
  }

  async #repair(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { networks, segments, containers } = this.#drift.pending.take();
    if (networks !== undefined)
      await this.#attemptRepair('the networks', () => this.#reconcileNetworks(networks, segments));
    const scope = this.#drift.pending.takePeers();
    if (scope !== undefined)
      await this.#attemptRepair('the peers', async () =>
        this.#reportRepair(await this.#context.peers.reconcile(scope)),
      );
    for (const id of containers) {
      const repair = async (): Promise<void> => this.#noteRepairs(await this.#context.attachments.repair(id));
      await this.#attemptRepair(`container ${id}`, repair, id);
    }
    if (this.#dropsSegments) await this.#attempt('segments', () => removeSegments(this.#context));
    this.#dropsSegments = false;
    if (this.#hasCreatedTables) await this.#attempt('connections', () => flushUntranslatedConntrack(this.#context));
    this.#hasCreatedTables = false;
  }

  /** With `links` without tables: the bridge has an event for each container that starts or stops. */
  async #reconcileNetworks(scope: NetworkScope, marked: Drift['segments']): Promise<void> {
    const { networks, hostLinks } = this.#context;
    if (this.#drift.hasNewEngineBridge)
      this.#context.facts = { ...this.#context.facts, engineBridges: await findEngineBridges(this.#context) };
    this.#drift.clearNewEngineBridge();
    const isOfTables = ({ kind }: KernelObject): boolean => kind === 'nft-table' || kind === 'nft-element';
    const ids = typeof scope === 'string' ? [...networks.keys()] : [...scope].filter((id) => networks.has(id));
    const isMarked = (id: string, segment: number): boolean =>
      typeof scope === 'string' || marked.get(id)?.has(segment) === true;
    const segmentsOf = (id: string): number[] => hostLinks.segmentsOf(id).filter((segment) => isMarked(id, segment));
    const context = { ...this.#context, hostLinks: { segmentsOf } };
    const operations = await applyNetworks(context, ids, (object) => scope === 'all' || !isOfTables(object));
    if (operations.some(({ object }) => object.kind === 'nft-table')) this.#hasCreatedTables = true;
    this.#reportRepair(operations);
    // Objects of peers depend on the bridge's address and on the table.
    if (operations.length > 0) this.#drift.pending.addAllPeers();
  }

  /** Repairs of objects that all containers depend on are reported as events of the default bridge. */
  #reportRepair(operations: readonly KernelOperation[]): void {
    this.#noteRepairs(operations);
    if (operations.length > 0) this.#emit({ action: 'repair', ...describeRepair(operations) });
  }

  #emit(event: Omit<NetworkEvent, 'type' | 'networkId' | 'networkName' | 'driver'>): void {
    const bridge = [...this.#context.networks.values()].find((record) => record.name === 'bridge');
    if (!bridge) return;
    const { id: networkId, name: networkName, driver } = bridge;
    this.#context.emit({ ...event, networkId, networkName, driver });
  }

  /** Reports a failed repair by an event, too; the work is not repeated before the next change. */
  async #attemptRepair(what: string, work: () => Promise<void>, containerId?: string): Promise<void> {
    await this.#attempt(what, async () => {
      try {
        await work();
      } catch (error) {
        const detail = `${what}: ${messageOf(error)}`;
        this.#emit({ action: 'repair-failed', detail, ...(containerId === undefined ? {} : { containerId }) });
        throw error;
      }
    });
  }

  /** The kernel's events do not identify the other program, so the log names only the contested object. */
  #noteRepairs(operations: readonly KernelOperation[]): void {
    const contested = this.#pace.note(
      operations.map(({ object }) => describe(object)),
      performance.now(),
    );
    for (const object of contested)
      this.#context.logger.warn('another program keeps undoing a repair: repairing at most once a second for now', {
        object,
      });
  }

  async #compareEndpointElements(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { incomplete, hasUnplanned, isPending } = this.#drift.compareElements();
    if (isPending) this.#scheduleEndpointElements();
    if (hasUnplanned) this.#scheduleElements();
    if (incomplete.size > 0) await this.#repair();
  }

  /** Dumps each set once to find the containers whose elements are missing. */
  async #findMissingElements(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await this.#attempt('elements', async () => {
      const present = await this.#listEndpointElements();
      for (const { id } of this.#context.attachments.running()) {
        const desired = this.#context.attachments.plan(id).filter((object) => object.kind === 'nft-element');
        if (desired.some(({ family, set, key }) => !present.has(`${family} ${set} ${key}`)))
          this.#drift.pending.addContainer(id);
      }
      await this.#removeForeignElements();
    });
    await this.#repair();
  }

  /** As `FAMILY SET KEY`. */
  async #listEndpointElements(): Promise<Set<string>> {
    const { kernel, facts } = this.#context;
    const sets = endpointSets.flatMap((set) =>
      tablesOf(set, { ipv6: usesIpv6(facts) }).map((family) => ({ set, family })),
    );
    const lists = await Promise.all(sets.map(({ set, family }) => listElements(kernel, set, family)));
    return new Set(
      sets.flatMap(({ set, family }, index) => (lists[index] ?? []).map(({ key }) => `${family} ${set} ${key}`)),
    );
  }

  /** Elements of a stopping container are listed until their deletion: only those that remain are another program's. */
  async #removeForeignElements(): Promise<void> {
    const first = await findForeignElements(this.#context);
    if (first.length === 0) return;
    await setTimeoutPromise(foreignElementMilliseconds);
    if (this.#stop.signal.aborted) return;
    const before = new Set(first.map(describe));
    const objects = (await findForeignElements(this.#context)).filter((object) => before.has(describe(object)));
    if (objects.length === 0) return;
    const { operations } = await this.#context.kernel.remove({ owner: 'foreign elements', objects });
    this.#reportRepair(operations);
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.logger.error('repair failed', { what, error: messageOf(error) });
    }
  }
}
