/**
 * Records states of the network: after changes, but seldom, so that it costs little. What is in containers is recorded as
 * planned, the host as observed.
 */
import { hash } from 'node:crypto';
import { type Clock, formatTime, type Logger, messageOf, NetyardError, TimeSlice } from '@netyard/core';
import type { KernelObject, ObservedNetworkState } from '@netyard/kernel';
import { diffStates } from './diff.ts';
import type { StateItem, StatePrinter } from './item.ts';
import { hostLinksOf, itemsOfContainer, itemsOfHost } from './observed.ts';
import type { RecordedState, StateFiles } from './state-files.ts';

export interface StateRecorderOptions {
  files: StateFiles;
  observe(): Promise<ObservedNetworkState>;
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
/** Changes without a notification: settings of IPv6. */
const idleMilliseconds = 600_000;

interface Container {
  items: StateItem[];
  links: readonly string[];
}

export class StateRecorder {
  readonly #options: StateRecorderOptions;
  readonly #containers = new Map<string, Container>();
  /** Containers whose plan is to be read again. */
  readonly #changed = new Set<string>();
  /** Of the recorded state: digests of the parts by key. */
  #digests = new Map<string, string>();
  /** Parts of containers are the same values until the container changes: their digests are computed once. */
  readonly #digestOf = new WeakMap<StateItem, string>();
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #earliest = 0;
  #running: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #isClosed = false;

  constructor(options: StateRecorderOptions) {
    this.#options = options;
  }

  /** The network changed. */
  noteChange(): void {
    this.#schedule(Math.max(performance.now() + settleMilliseconds, this.#earliest));
  }

  /** A container started, ended or changed its networks. */
  noteContainer(id: string): void {
    this.#changed.add(id);
    this.noteChange();
  }

  /** @param to default: the present. Throws `not-found` when no state so old is kept. */
  async diff(from: bigint, to?: bigint): Promise<StateDifference> {
    if (to === undefined) await this.#sample();
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
  #sample(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    this.#running = this.#running.then(() => this.#record());
    return this.#running;
  }

  async #record(): Promise<void> {
    const began = performance.now();
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

  async #collect(): Promise<StateItem[]> {
    const { observe, printer } = this.#options;
    const slice = new TimeSlice();
    for (const id of this.#changed) {
      this.#readContainer(id);
      if (slice.isOver) await slice.next();
    }
    const observed = await observe();
    const containers = [...this.#containers.values()];
    const planned = new Set(containers.flatMap(({ links }) => links));
    const items: StateItem[] = [];
    for (const item of itemsOfHost(observed, planned, printer)) {
      items.push(item);
      if (slice.isOver) await slice.next();
    }
    return [...items, ...containers.flatMap((container) => container.items)];
  }

  #readContainer(id: string): void {
    this.#changed.delete(id);
    const { explain, printer } = this.#options;
    const objects = explain(id);
    if (objects === undefined) this.#containers.delete(id);
    else this.#containers.set(id, { items: itemsOfContainer(objects, printer), links: hostLinksOf(objects) });
  }

  #digest(item: StateItem): string {
    const known = this.#digestOf.get(item);
    if (known !== undefined) return known;
    const digest = hash('sha1', JSON.stringify(item), 'base64');
    this.#digestOf.set(item, digest);
    return digest;
  }

  async #write(items: readonly StateItem[]): Promise<void> {
    const { files, clock } = this.#options;
    const slice = new TimeSlice();
    const digests = new Map<string, string>();
    const changed: StateItem[] = [];
    for (const item of items) {
      const digest = this.#digest(item);
      digests.set(item.key, digest);
      if (this.#digests.get(item.key) !== digest) changed.push(item);
      if (slice.isOver) await slice.next();
    }
    const gone = [...this.#digests.keys()].filter((key) => !digests.has(key));
    if (changed.length === 0 && gone.length === 0) return;
    const time = clock.now();
    if (!files.needsWhole) await files.writeChange(time, changed, gone);
    else if (!(await files.writeWhole(time, items)))
      throw new NetyardError('failed', `the state has ${items.length} parts, too many for the size of the journal`);
    this.#digests = digests;
  }
}
