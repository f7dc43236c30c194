/**
 * Records states of the network: after changes, but seldom, so that it costs little. What is in containers is recorded as
 * planned, the host as observed.
 */
import { type Clock, formatTime, type Logger, messageOf, NetyardError, TimeSlice } from '@netyard/core';
import type { KernelObject, NetworkChange, ObservedNetworkState } from '@netyard/kernel';
import { diffStates } from './diff.ts';
import type { ItemGroup, StateItem, StatePrinter } from './item.ts';
import { type HostParts, KnownHost } from './known-host.ts';
import { groupsOfHost, hostLinksOf, itemsOfContainer } from './observed.ts';
import { RecordedGroups } from './recorded-groups.ts';
import type { RecordedState, StateFiles } from './state-files.ts';

export interface StateRecorderOptions {
  files: StateFiles;
  /** @param known links and routes, which are not read then */
  observe(known?: HostParts): Promise<ObservedNetworkState>;
  /** The plan of a container; undefined if it does not run. */
  explain(containerId: string): readonly KernelObject[] | undefined;
  printer: StatePrinter;
  clock: Clock;
  logger: Logger;
}

/** The difference of two states. */
export interface StateDifference {
  /** Nanoseconds since 1970: since when the states were so. */
  from: bigint;
  to: bigint;
  /** They lead from the one to the other. */
  commands: string[];
}

/** After a change; further ones often follow. */
const settleMilliseconds = 1000;
const smallestInterval = 5000;
/** An observation takes at most a fiftieth of the time. */
const intervalPerDuration = 50;
/** Everything is read so often: for changes without a notification, such as settings of IPv6. */
const idleMilliseconds = 600_000;

interface Container {
  links: readonly string[];
  /** Undefined when they are recorded: then only their digests stay in memory. */
  items: readonly StateItem[] | undefined;
}

interface Collected {
  groups: readonly ItemGroup[];
  containers: readonly Container[];
}

export class StateRecorder {
  readonly #options: StateRecorderOptions;
  readonly #containers = new Map<string, Container>();
  /** Containers whose plan is to be read again. */
  readonly #changed = new Set<string>();
  readonly #host = new KnownHost();
  #recorded = new RecordedGroups();
  /** When all of the host was read. */
  #wholeAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #earliest = 0;
  #running: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #isClosed = false;

  constructor(options: StateRecorderOptions) {
    this.#options = options;
  }

  /** @param isWatched whether `noteChange` is called with each change of the host's network from now on */
  watch(isWatched: boolean): void {
    this.#host.watch(isWatched);
    this.#noteChange();
  }

  noteChange(change: NetworkChange): void {
    this.#host.note(change);
    this.#noteChange();
  }

  #noteChange(): void {
    this.#schedule(Math.max(performance.now() + settleMilliseconds, this.#earliest));
  }

  /** A container started, ended or changed its networks. */
  noteContainer(id: string): void {
    this.#changed.add(id);
    this.#noteChange();
  }

  /** @param to default: the present. Throws `not-found` when no state so old is kept. */
  async diff(from: bigint, to?: bigint): Promise<StateDifference> {
    if (to === undefined) await this.#sample({ isWhole: true });
    const [before, after] = [await this.#read(from), await this.#read(to ?? this.#options.clock.now())];
    return { from: before.time, to: after.time, commands: await diffStates(before.items, after.items) };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #read(time: bigint): Promise<RecordedState> {
    const { files } = this.#options;
    const state = await files.read(time);
    if (state) return state;
    const oldest = files.oldest;
    const kept = oldest === undefined ? 'none is kept' : `the oldest is of ${formatTime(oldest)}`;
    throw new NetyardError('not-found', `no network state of ${formatTime(time)}: ${kept}`, {
      hint: 'give a later time; --journal-size and --journal-age of the daemon limit what is kept',
    });
  }

  #schedule(due: number): void {
    if (this.#isClosed || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.#sample(), Math.max(0, due - performance.now())).unref();
  }

  /** Never rejects. */
  #sample({ isWhole = false } = {}): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    this.#running = this.#running.then(() => this.#record(isWhole));
    return this.#running;
  }

  async #record(isWhole: boolean): Promise<void> {
    const began = performance.now();
    if (isWhole || began - this.#wholeAt >= idleMilliseconds) this.#host.forget();
    try {
      await this.#write(await this.#collect());
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed)
        this.#options.logger.warn('the state of the network is not recorded', { error: messageOf(error) });
      this.#hasFailed = true;
    }
    const now = performance.now();
    this.#earliest = now + Math.max(smallestInterval, (now - began) * intervalPerDuration);
    this.#schedule(now + idleMilliseconds);
  }

  async #collect(): Promise<Collected> {
    const { printer, files } = this.#options;
    // A whole state has all parts, which are made again.
    if (files.needsWhole) this.#recorded = new RecordedGroups();
    const slice = new TimeSlice();
    for (const id of [...this.#changed, ...(files.needsWhole ? this.#containers.keys() : [])]) {
      this.#readContainer(id);
      if (slice.isOver) await slice.next();
    }
    const containers = [...this.#containers];
    const planned = new Set<string>();
    for (const [, { links }] of containers) for (const link of links) planned.add(link);
    const observed = await this.#observe(planned);
    const groups: ItemGroup[] = [];
    for (const group of groupsOfHost(observed, planned, printer, (key) => this.#recorded.has(key))) {
      groups.push(group);
      if (slice.isOver) await slice.next();
    }
    for (const [id, { items }] of containers) groups.push({ key: `container ${id}`, items });
    return { groups, containers: containers.map(([, container]) => container) };
  }

  async #observe(planned: ReadonlySet<string>): Promise<ObservedNetworkState> {
    const known = this.#host.take(planned);
    const began = performance.now();
    const observed = await this.#options.observe(known);
    if (known === undefined) {
      this.#host.keep(observed);
      this.#wholeAt = began;
    }
    return observed;
  }

  #readContainer(id: string): void {
    this.#changed.delete(id);
    const { explain, printer } = this.#options;
    const objects = explain(id);
    if (objects === undefined) this.#containers.delete(id);
    else this.#containers.set(id, { items: itemsOfContainer(objects, printer), links: hostLinksOf(objects) });
  }

  async #write({ groups, containers }: Collected): Promise<void> {
    const { files, clock } = this.#options;
    const { set, gone, recorded } = await this.#recorded.compare(groups);
    if (set.length > 0 || gone.length > 0) {
      const time = clock.now();
      if (!files.needsWhole) await files.writeChange(time, set, gone);
      else if (!(await files.writeWhole(time, set)))
        throw new NetyardError('failed', `the state has ${set.length} parts, too many for the size of the journal`);
    }
    this.#recorded = recorded;
    for (const container of containers) container.items = undefined;
  }
}
