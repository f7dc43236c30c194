/**
 * A kernel in memory, for tests of the packages above `kernel`. It stores objects, fails as a real kernel does when a
 * namespace, link or table is missing, rolls back a plan that fails half-way, and fails at the n-th step on request.
 *
 *     const kernel = new FakeKernel();
 *     kernel.failAtStep(3);                    // the third operation from now on throws
 *     await assert.rejects(kernel.apply(plan), /EIO/);
 *     assert.deepEqual(kernel.objects(), []);  // rolled back
 *
 * It routes no packets, checks no nft syntax and knows nothing of MTUs or carriers.
 */
import { failureCodeOf, type Logger, messageOf, NetyardError, silentLogger } from '@netyard/core';
import {
  type AnnounceRequest,
  type ApplyOptions,
  type ApplyReport,
  type CapturedPacket,
  type ConnectionMatch,
  describeObject,
  diff,
  diffRemoval,
  EventQueue,
  editAsPlan,
  type FileEdit,
  type HeldTables,
  independentObjects,
  type Kernel,
  type KernelEvent,
  type KernelObject,
  type KernelOperation,
  type KernelPlan,
  type LinkStatistics,
  type NamespaceWatch,
  type NetworkChange,
  type NftFamily,
  type NftTableObject,
  type Observation,
  type ObservedAddress,
  type ObservedFdbEntry,
  type ObservedLink,
  type ObservedNeighbour,
  type ObservedNeighbourProxy,
  type ObservedNftChain,
  type ObservedRoute,
  type PacketCapture,
  type PacketCaptureRequest,
  type PortProtocol,
  type PortReservation,
} from '@netyard/kernel';
import { failure } from './fake-failure.ts';
import { FakeLinks } from './fake-links.ts';
import {
  listAddresses,
  listFdb,
  listNeighbours,
  listNftElements,
  listRoutes,
  type NftSetAddress,
  noTraffic,
  readSysctl,
} from './fake-listings.ts';
import { FakeNamespaceWatch } from './fake-namespace-watch.ts';
import { FakeObjects } from './fake-objects.ts';
import { FakePorts, type ReservedPort } from './fake-ports.ts';

export interface FakeKernelOptions {
  /** Interfaces that exist before any plan, in the process's own namespace. Default `lo` and `eth0`. */
  links?: readonly string[];
  logger?: Logger;
}

export class FakeKernel implements Kernel {
  /** All operations in order, including those rolled back later. */
  readonly done: KernelOperation[] = [];
  /** Counters of elements by `SET KEY`, for sets that count. Zero by default. */
  readonly counted = new Map<string, { packets: bigint; bytes: bigint }>();
  /** Chains of other programs at the forward hook or reached from it. Rules of plans come before their own. */
  readonly chains: ObservedNftChain[] = [];
  /** The tables of the last `holdTables` call, until they are released. */
  held: readonly NftTableObject[] = [];
  /** Kinds of links that this kernel lacks. */
  readonly unsupportedKinds = new Set<string>();
  /** `flushConntrack` calls. */
  readonly forgotten: ConnectionMatch[] = [];
  /** `flushConntrackOf` calls. */
  readonly forgottenSubnets: string[] = [];
  /** `capture` calls. */
  readonly captures: PacketCaptureRequest[] = [];
  readonly announced: AnnounceRequest[] = [];
  /** The packets that each capture returns. */
  readonly packets: CapturedPacket[] = [];
  readonly #links: FakeLinks;
  readonly #objects: FakeObjects;
  readonly #ports = new FakePorts();
  readonly #watchers = new Set<EventQueue<KernelEvent>>();
  /** `watchNamespaces` calls. */
  readonly namespaceWatches: FakeNamespaceWatch[] = [];
  readonly #logger: Logger;
  #stepsUntilFailure = Number.POSITIVE_INFINITY;

  constructor(options: FakeKernelOptions = {}) {
    this.#links = new FakeLinks(options.links ?? ['lo', 'eth0']);
    this.#objects = new FakeObjects(this.#links);
    this.#logger = options.logger ?? silentLogger;
  }

  // For tests

  /** The n-th operation from now on (1: the next one) throws EIO, once. Rollback does not count. */
  failAtStep(n: number): void {
    this.#stepsUntilFailure = n;
  }

  /** Existing objects in the order of their creation. */
  objects(): KernelObject[] {
    return this.#objects.list();
  }

  /** Deletes an object as another program would. Watchers receive no event: see `emit`. */
  vanish(object: KernelObject): void {
    this.#objects.drop(object);
  }

  /** Creates or replaces an object as another program would. Watchers receive no event. */
  appear(object: KernelObject): void {
    this.#objects.put(object);
  }

  emit(event: KernelEvent): void {
    for (const watcher of this.#watchers) watcher.push(event);
  }

  /** Binds a port as another program would. */
  occupyPort(protocol: PortProtocol, address: string, port: number): void {
    this.#ports.occupy({ protocol, address, port });
  }

  reservedPorts(): ReservedPort[] {
    return this.#ports.list();
  }

  // Kernel

  async observe(objects: readonly KernelObject[]): Promise<Observation[]> {
    return objects.map((object) => this.#objects.observe(object));
  }

  async apply(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    const operations = diff(plan.objects, await this.observe(plan.objects));
    if (options.dryRun) return { operations };
    const restore = this.#objects.snapshot();
    try {
      for (const operation of operations) this.#perform(operation);
    } catch (error) {
      restore();
      throw error;
    }
    return { operations };
  }

  async remove(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    const objects = independentObjects(plan.objects);
    const operations = diffRemoval(objects, await this.observe(objects));
    if (options.dryRun) return { operations };
    const failures: unknown[] = [];
    for (const operation of operations) {
      try {
        this.#perform(operation);
      } catch (error) {
        this.#logger.debug('removal failed', { object: describeObject(operation.object), error: messageOf(error) });
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      const text = failures.map(messageOf).join('; ');
      const cause = new AggregateError(failures);
      throw new NetyardError(failureCodeOf(cause), `removing ${plan.owner}: ${text}`, { cause });
    }
    return { operations };
  }

  /** Reads the real file, and writes none: its new content is an object. */
  async editFile(path: string, limit: number, edit: (text: string) => string): Promise<FileEdit> {
    return editAsPlan({ path, limit, edit }, (plan) => this.apply(plan));
  }

  async listLinks(ns?: string): Promise<ObservedLink[]> {
    return this.#links.list(this.objects(), ns);
  }

  async listAddresses(ns?: string): Promise<ObservedAddress[]> {
    return listAddresses(this.objects(), await this.listLinks(ns), ns);
  }

  async listRoutes(ns?: string): Promise<ObservedRoute[]> {
    return listRoutes(this.objects(), ns);
  }

  async listNeighbourProxies(): Promise<ObservedNeighbourProxy[]> {
    return this.objects()
      .filter((object) => object.kind === 'neighbour-proxy')
      .filter(({ ns }) => ns === undefined)
      .map(({ link, address, protocol }) => ({ link, address, protocol }));
  }

  async listNeighbours(link: string, ns?: string): Promise<ObservedNeighbour[]> {
    return listNeighbours(this.objects(), link, ns);
  }

  async listFdb(link: string, ns?: string): Promise<ObservedFdbEntry[]> {
    return listFdb(this.objects(), link, ns);
  }

  async linkStatistics(link: string, ns?: string): Promise<LinkStatistics> {
    if (!this.#links.exists(this.objects(), link, ns)) throw failure('ENODEV', 'ip -s link show', link);
    return noTraffic;
  }

  async listLinkStatistics(): Promise<Map<number, LinkStatistics>> {
    return new Map((await this.listLinks()).map(({ index }) => [index, noTraffic]));
  }

  async supportsLinkKind(kind: string): Promise<boolean> {
    return !this.unsupportedKinds.has(kind);
  }

  async readSysctl(key: string, ns?: string): Promise<string> {
    return readSysctl(this.objects(), key, ns);
  }

  async listNftElements(address: NftSetAddress) {
    return listNftElements(this.objects(), address, this.#objects.tableOf(address)?.body ?? '', this.counted);
  }

  async listNftBaseChains(hook: 'forward' | 'input', families: readonly NftFamily[]): Promise<ObservedNftChain[]> {
    const found = this.chains.filter((chain) => chain.hook === hook && families.includes(chain.family));
    return found.map((chain) => this.#withRules(chain));
  }

  async listNftChain({ family, table, chain }: { family: NftFamily; table: string; chain: string }) {
    const found = this.chains.find((one) => one.family === family && one.table === table && one.chain === chain);
    return found && this.#withRules(found);
  }

  reservePort(protocol: PortProtocol, address: string, port: number): PortReservation {
    return this.#ports.reserve(protocol, address, port);
  }

  async holdTables(tables: readonly NftTableObject[]): Promise<HeldTables> {
    this.held = [...tables];
    return {
      replace: async (next) => {
        this.held = [...next];
      },
      change: async () => undefined,
      close: () => {
        this.held = [];
      },
    };
  }

  async canHoldTables(): Promise<boolean> {
    return true;
  }

  async flushConntrack(matches: readonly ConnectionMatch[]): Promise<void> {
    this.forgotten.push(...matches);
  }

  async flushConntrackOf(subnets: string | readonly string[]): Promise<void> {
    this.forgottenSubnets.push(...(typeof subnets === 'string' ? [subnets] : subnets));
  }

  watch(signal: AbortSignal): AsyncIterable<KernelEvent> {
    const queue = new EventQueue<KernelEvent>();
    this.#watchers.add(queue);
    onAbort(signal, () => {
      this.#watchers.delete(queue);
      queue.end();
    });
    return queue;
  }

  /** Without changes: the fake kernel has no other programs. */
  watchChanges(signal: AbortSignal): AsyncIterable<NetworkChange> {
    const queue = new EventQueue<NetworkChange>();
    onAbort(signal, () => queue.end());
    return queue;
  }

  watchNamespaces(report: (path: string) => void): NamespaceWatch {
    const watch = new FakeNamespaceWatch(report);
    this.namespaceWatches.push(watch);
    return watch;
  }

  announceAddresses(request: AnnounceRequest): void {
    this.announced.push(request);
  }

  /** Returns `packets` and ends. Ignores filters. */
  async capture(request: PacketCaptureRequest): Promise<PacketCapture> {
    this.captures.push(request);
    const packets = this.packets.slice(0, request.count);
    return {
      linkType: 1,
      snapLength: request.snapLength ?? 262144,
      packets: async function* () {
        yield packets;
      },
      stop: () => {},
      statistics: () => ({ captured: packets.length, received: packets.length, dropped: 0 }),
      close: () => {},
    };
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  // Implementation

  /** Rules of plans come first, whatever position the plan names. */
  #withRules(chain: ObservedNftChain): ObservedNftChain {
    const planned = this.objects()
      .filter((object) => object.kind === 'nft-rule')
      .filter(({ family, table }) => family === chain.family && table === chain.table)
      .filter((object) => object.chain === chain.chain)
      .map(({ rule, comment }, index) => ({ text: rule, comment, handle: 1000 + index }));
    return { ...chain, rules: [...planned, ...chain.rules] };
  }

  #perform(operation: KernelOperation): void {
    this.#stepsUntilFailure -= 1;
    if (this.#stepsUntilFailure === 0) {
      this.#stepsUntilFailure = Number.POSITIVE_INFINITY;
      throw failure('EIO', operation.action, `${describeObject(operation.object)} (requested by the test)`);
    }
    this.done.push(operation);
    this.#objects.perform(operation);
  }
}

function onAbort(signal: AbortSignal, end: () => void): void {
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
}
