/**
 * A kernel in memory, for tests of the boxes above: it holds objects, refuses what a real one would refuse for lack
 * of a namespace, link or table, undoes a plan that fails half-way, and can be told to fail at the n-th step.
 *
 *     const kernel = new FakeKernel();
 *     kernel.failAtStep(3);                    // the third operation from now on throws
 *     await assert.rejects(kernel.apply(plan), /EIO/);
 *     assert.deepEqual(kernel.objects(), []);  // undone
 *
 * It routes no packets, checks no nft syntax and knows nothing of MTUs or carriers.
 */
import { type Logger, messageOf, NetyardError, parsePrefix, silentLogger } from '@netyard/core';
import {
  type ApplyOptions,
  type ApplyReport,
  type CapturedPacket,
  type ConnectionMatch,
  describeObject,
  diff,
  diffRemoval,
  EventQueue,
  errnoOf,
  type HeldTables,
  identityOf,
  independentObjects,
  type Kernel,
  type KernelEvent,
  type KernelObject,
  type KernelOperation,
  type KernelPlan,
  kernelError,
  type LinkStatistics,
  type NamespaceWatch,
  type NftFamily,
  type NftTableObject,
  namespaceOf,
  netnsDirectory,
  type Observation,
  type ObservedAddress,
  type ObservedFdbEntry,
  type ObservedLink,
  type ObservedNeighbour,
  type ObservedNftChain,
  type ObservedRoute,
  type PacketCapture,
  type PacketCaptureRequest,
  type PortProtocol,
  type PortReservation,
} from '@netyard/kernel';

import { asMade, dependentsOf, FakeLinks, isLoopbackAddress, loopbackUp } from './fake-links.ts';
import { FakeNamespaceWatch } from './fake-namespace-watch.ts';

export interface FakeKernelOptions {
  /** Interfaces that are there before any plan, in the process's own namespace. Default `lo` and `eth0`. */
  links?: readonly string[];
  logger?: Logger;
}

export class FakeKernel implements Kernel {
  /** Everything that was done, in order, undone work included. */
  readonly done: KernelOperation[] = [];
  /** By `SET KEY`: what a set that counts has counted there. Nothing unless told. */
  readonly counted = new Map<string, { packets: bigint; bytes: bigint }>();
  /** Chains of other programs at the forward hook, or jumped to from there; with the rules of plans before theirs. */
  readonly chains: ObservedNftChain[] = [];
  /** What `holdTables` holds. */
  held: readonly NftTableObject[] = [];
  /** `flushConntrack` calls. */
  readonly forgotten: ConnectionMatch[] = [];
  /** `flushConntrackOf` calls. */
  readonly forgottenSubnets: string[] = [];
  /** `capture` calls. */
  readonly captures: PacketCaptureRequest[] = [];
  /** What each capture gives. */
  readonly packets: CapturedPacket[] = [];
  readonly #objects = new Map<string, KernelObject>();
  readonly #links: FakeLinks;
  readonly #reserved = new Set<{ protocol: PortProtocol; address: string; port: number }>();
  readonly #watchers = new Set<EventQueue<KernelEvent>>();
  /** `watchNamespaces` calls. */
  readonly namespaceWatches: FakeNamespaceWatch[] = [];
  readonly #logger: Logger;
  #stepsUntilFailure = Number.POSITIVE_INFINITY;

  constructor(options: FakeKernelOptions = {}) {
    this.#links = new FakeLinks(options.links ?? ['lo', 'eth0']);
    this.#logger = options.logger ?? silentLogger;
  }

  // What a test does to it

  /** The n-th operation from now on (1: the next one) throws EIO, once. Undoing does not count. */
  failAtStep(n: number): void {
    this.#stepsUntilFailure = n;
  }

  /** What is there, in the order in which it was made. */
  objects(): KernelObject[] {
    return [...this.#objects.values()];
  }

  /** Takes an object away behind everybody's back, and tells the watchers nothing: see `emit`. */
  vanish(object: KernelObject): void {
    this.#drop(object);
  }

  /** Puts an object there behind everybody's back, such as another shape of a wanted one. */
  appear(object: KernelObject): void {
    this.#objects.set(identityOf(object), object);
  }

  emit(event: KernelEvent): void {
    for (const watcher of this.#watchers) watcher.push(event);
  }

  /** Holds a port as another program would. */
  occupyPort(protocol: PortProtocol, address: string, port: number): void {
    this.#reserved.add({ protocol, address, port });
  }

  reservedPorts(): { protocol: PortProtocol; address: string; port: number }[] {
    return [...this.#reserved];
  }

  // Kernel

  async observe(objects: readonly KernelObject[]): Promise<Observation[]> {
    return objects.map((object) => this.#observeOne(object));
  }

  async apply(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    const operations = diff(plan.objects, await this.observe(plan.objects));
    if (options.dryRun) return { operations };
    const before = new Map(this.#objects);
    try {
      for (const operation of operations) this.#perform(operation);
    } catch (error) {
      this.#objects.clear();
      for (const [key, object] of before) this.#objects.set(key, object);
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
      throw new NetyardError('internal', `removing ${plan.owner}: ${text}`, { cause: new AggregateError(failures) });
    }
    return { operations };
  }

  async listLinks(ns?: string): Promise<ObservedLink[]> {
    return this.#links.list(this.objects(), ns);
  }

  async listAddresses(ns?: string): Promise<ObservedAddress[]> {
    const links = await this.listLinks(ns);
    return this.objects()
      .filter((object) => object.kind === 'address')
      .filter((object) => object.ns === ns)
      .map(({ link, prefix }) => ({
        link,
        linkIndex: links.find((known) => known.name === link)?.index ?? 0,
        prefix,
        scope: 0,
      }));
  }

  async listRoutes(ns?: string): Promise<ObservedRoute[]> {
    return this.objects()
      .filter((object) => object.kind === 'route')
      .filter((object) => object.ns === ns)
      .map(({ to, via, link, source, metric, table, protocol }) => ({
        to,
        table: table ?? 254,
        protocol: protocol ?? 3,
        ...(via === undefined ? {} : { via }),
        ...(link === undefined ? {} : { link }),
        ...(source === undefined ? {} : { source }),
        ...(metric === undefined ? {} : { metric }),
      }));
  }

  async listNeighbours(link: string, ns?: string): Promise<ObservedNeighbour[]> {
    return this.objects()
      .filter((object) => object.kind === 'neighbour')
      .filter((object) => object.link === link && object.ns === ns)
      .map(({ address, mac }) => ({ address, mac }));
  }

  async listFdb(link: string, ns?: string): Promise<ObservedFdbEntry[]> {
    return this.objects()
      .filter((object) => object.kind === 'fdb')
      .filter((object) => object.link === link && object.ns === ns)
      .map(({ mac, remote }) => ({ mac, remote }));
  }

  async linkStatistics(link: string, ns?: string): Promise<LinkStatistics> {
    if (!this.#links.exists(this.objects(), link, ns)) throw refusal('ENODEV', 'ip -s link show', link);
    const none = 0n;
    return {
      ...{ rxBytes: none, rxPackets: none, rxErrors: none, rxDropped: none },
      ...{ txBytes: none, txPackets: none, txErrors: none, txDropped: none },
    };
  }

  async readSysctl(key: string, ns?: string): Promise<string> {
    const found = this.objects().find((object) => object.kind === 'sysctl' && object.key === key && object.ns === ns);
    return found?.kind === 'sysctl' ? found.value : '0';
  }

  async listNftElements(wanted: { ns?: string; family: NftFamily; table: string; set: string }) {
    const { ns, family, table, set } = wanted;
    const counts = new RegExp(`\\b(?:set|map) ${set} \\{[^}]*\\bcounter\\b`).test(this.#tableOf(wanted)?.body ?? '');
    return this.objects()
      .filter((object) => object.kind === 'nft-element')
      .filter((element) => element.ns === ns && element.family === family)
      .filter((element) => element.table === table && element.set === set)
      .map(({ key, value, comment }) => ({
        key,
        ...(value === undefined ? {} : { value }),
        ...(comment === undefined ? {} : { comment }),
        ...(counts ? (this.counted.get(`${set} ${key}`) ?? { packets: 0n, bytes: 0n }) : {}),
      }));
  }

  async listNftBaseChains(hook: 'forward'): Promise<ObservedNftChain[]> {
    return this.chains.filter((chain) => chain.hook === hook).map((chain) => this.#withRules(chain));
  }

  async listNftChain({ family, table, chain }: { family: NftFamily; table: string; chain: string }) {
    const found = this.chains.find((one) => one.family === family && one.table === table && one.chain === chain);
    return found && this.#withRules(found);
  }

  reservePort(protocol: PortProtocol, address: string, port: number): PortReservation {
    const isAny = (text: string): boolean => text === '0.0.0.0' || text === '::';
    const sameFamily = (a: string, b: string): boolean => a.includes(':') === b.includes(':');
    const taken = (wanted: number): boolean =>
      [...this.#reserved].some(
        (held) =>
          held.protocol === protocol &&
          held.port === wanted &&
          sameFamily(held.address, address) &&
          (held.address === address || isAny(held.address) || isAny(address)),
      );
    let chosen = port === 0 ? 32768 : port;
    while (port === 0 && taken(chosen)) chosen += 1;
    if (taken(chosen)) throw refusal('EADDRINUSE', 'bind', `${protocol} ${address} port ${port}`);
    const held = { protocol, address, port: chosen };
    this.#reserved.add(held);
    return { ...held, close: () => void this.#reserved.delete(held) };
  }

  async holdTables(tables: readonly NftTableObject[]): Promise<HeldTables> {
    this.held = [...tables];
    return {
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
    const end = (): void => {
      this.#watchers.delete(queue);
      queue.end();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    return queue;
  }

  watchNamespaces(report: (path: string) => void): NamespaceWatch {
    const watch = new FakeNamespaceWatch(report);
    this.namespaceWatches.push(watch);
    return watch;
  }

  /** Gives `packets` and ends. Filters are not looked at. */
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

  // Inside

  /** Rules of plans come first, wherever the plan places them. */
  #withRules(chain: ObservedNftChain): ObservedNftChain {
    const ours = this.objects()
      .filter((object) => object.kind === 'nft-rule')
      .filter(({ family, table }) => family === chain.family && table === chain.table)
      .filter((object) => object.chain === chain.chain)
      .map(({ rule, comment }, index) => ({ text: rule, comment, handle: 1000 + index }));
    return { ...chain, rules: [...ours, ...chain.rules] };
  }

  #observeOne(object: KernelObject): Observation {
    if (object.kind === 'link-state') return this.#observeLinkState(object);
    if (isLoopbackAddress(object)) return this.#observeLinkState(loopbackUp(object.ns));
    const found = this.#objects.get(identityOf(object));
    if (!found) return { state: 'absent' };
    return sameObject(found, object)
      ? { state: 'present' }
      : { state: 'different', found: `another ${describeObject(found)}` };
  }

  #observeLinkState(object: KernelObject & { kind: 'link-state' }): Observation {
    const there = this.#isPinned(object.ns) && this.#links.exists(this.objects(), object.name, object.ns);
    if (!there) return { state: 'absent' };
    const found = this.#objects.get(identityOf(object));
    return found && sameObject(found, asMade(object))
      ? { state: 'present' }
      : { state: 'different', found: 'another state' };
  }

  #perform(operation: KernelOperation): void {
    this.#stepsUntilFailure -= 1;
    if (this.#stepsUntilFailure === 0) {
      this.#stepsUntilFailure = Number.POSITIVE_INFINITY;
      throw refusal('EIO', operation.action, `${describeObject(operation.object)} (as the test wished)`);
    }
    this.done.push(operation);
    const { object } = operation;
    if (operation.action === 'delete') {
      this.#drop(object);
    } else {
      this.#checkDependencies(object);
      this.#objects.set(identityOf(object), object);
    }
  }

  /** What the object stands on has to be there. */
  #checkDependencies(object: KernelObject): void {
    const name = describeObject(object);
    if (!this.#isPinned(namespaceOf(object))) throw refusal('ENOENT', 'enter', name);
    if (object.kind === 'veth' && !this.#isPinned(object.peer.ns)) throw refusal('ENOENT', 'enter', `peer of ${name}`);
    for (const link of this.#links.neededBy(object)) {
      if (!this.#links.exists(this.objects(), link, namespaceOf(object)))
        throw refusal('ENODEV', 'find', `${link} for ${name}`);
    }
    if (object.kind === 'address') parsePrefix(object.prefix);
    if (object.kind !== 'nft-element') return;
    if (this.#tableOf(object) === undefined) throw refusal('ENOENT', 'nft add', name);
  }

  #tableOf(where: { ns?: string; family: NftFamily; table: string }): NftTableObject | undefined {
    const table: KernelObject = { kind: 'nft-table', family: where.family, name: where.table, body: '' };
    const found = this.#objects.get(identityOf(where.ns === undefined ? table : { ...table, ns: where.ns }));
    return found?.kind === 'nft-table' ? found : undefined;
  }

  /** Namespaces elsewhere, such as /proc/1/ns/net, are taken to be there. */
  #isPinned(path: string | undefined): boolean {
    return path === undefined || !path.startsWith(`${netnsDirectory}/`) || this.#has({ kind: 'netns', path });
  }

  #has(object: KernelObject): boolean {
    return this.#objects.has(identityOf(object));
  }

  #drop(object: KernelObject): void {
    this.#objects.delete(identityOf(object));
    for (const dependent of dependentsOf(object, this.objects())) this.#drop(dependent);
  }
}

function refusal(errno: string, operation: string, object: string) {
  return kernelError(errnoOf(errno), operation, object);
}

/** Equal but for the order of keys and keys that are undefined. */
function sameObject(a: KernelObject, b: KernelObject): boolean {
  const canonical = (_key: string, value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
      : value;
  return JSON.stringify(a, canonical) === JSON.stringify(b, canonical);
}
