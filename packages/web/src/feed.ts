/**
 * The state of the page and its changes, for all open event streams. Works only while there are listeners: it follows the
 * engine's events, reads peers and interfaces again every few seconds, and samples counters every second.
 */
import { type Clock, type Logger, messageOf } from '@netyard/core';
import type { LinkStatistics } from '@netyard/kernel';
import type { PageItem, PatchMessage, RatesMessage } from '@netyard/page';
import { computePacketRates, computeRates, type PacketCounters, type Sample } from './rates.ts';

const DEBOUNCE_MS = 200;
const REFRESH_MS = 5_000;
const RATES_MS = 1_000;

/** What the feed reads. */
export interface FeedSource {
  /** The items, and the packet counters of peers by id. */
  read(): Promise<{ items: PageItem[]; peerPackets: ReadonlyMap<string, PacketCounters> }>;
  /** Counters of the host's interfaces by name. */
  sample(): Promise<ReadonlyMap<string, LinkStatistics>>;
  /** Calls back after changes, until the signal. */
  watch(changed: () => void, signal: AbortSignal): void;
}

export interface FeedMessage {
  event: 'snapshot' | 'patch' | 'rates';
  /** JSON. */
  data: string;
}

export type FeedListener = (message: FeedMessage) => void;

export class Feed {
  readonly #source: FeedSource;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #logger: Logger;
  readonly #listeners = new Set<FeedListener>();
  #running: AbortController | undefined;
  /** JSON of each item by id; undefined before the first read. */
  #items: ReadonlyMap<string, string> | undefined;
  #interfaces: Sample<LinkStatistics> | undefined;
  #peers: Sample<PacketCounters> | undefined;
  #peerRates: RatesMessage['peers'] = {};
  #wasQuiet = true;
  /** Reads do not overlap: a change during one leads to one more. */
  #reading = false;
  #isStale = false;

  constructor(source: FeedSource, clock: Pick<Clock, 'now'>, logger: Logger) {
    this.#source = source;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** A snapshot follows at once, or as soon as it has been read. Returns how to end. */
  listen(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    if (this.#running === undefined) this.#start();
    const snapshot = this.snapshot();
    if (snapshot !== undefined) listener(snapshot);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  /** Undefined until the first read has ended. */
  snapshot(): FeedMessage | undefined {
    if (this.#items === undefined) return undefined;
    return { event: 'snapshot', data: `{"items":[${[...this.#items.values()].join(',')}]}` };
  }

  #start(): void {
    const running = new AbortController();
    const { signal } = running;
    this.#running = running;
    let debounce: NodeJS.Timeout | undefined;
    const changed = (): void => {
      if (signal.aborted) return;
      debounce ??= setTimeout(() => {
        debounce = undefined;
        void this.#refresh();
      }, DEBOUNCE_MS);
    };
    const timers = [
      setInterval(() => void this.#refresh(), REFRESH_MS),
      setInterval(() => void this.#sample(), RATES_MS),
    ];
    signal.addEventListener('abort', () => {
      clearTimeout(debounce);
      for (const timer of timers) clearInterval(timer);
    });
    this.#source.watch(changed, signal);
    void this.#refresh();
    void this.#sample();
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#items = undefined;
    this.#interfaces = undefined;
    this.#peers = undefined;
    this.#peerRates = {};
  }

  async #refresh(): Promise<void> {
    if (this.#reading) {
      this.#isStale = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#isStale = false;
        const { items, peerPackets } = await this.#source.read();
        if (this.#running === undefined) continue;
        this.#update(items);
        this.#comparePeers(peerPackets);
      } while (this.#isStale);
    } catch (error) {
      this.#logger.warn('the topology page cannot be updated', { error: messageOf(error) });
    } finally {
      this.#reading = false;
    }
  }

  #update(items: readonly PageItem[]): void {
    const before = this.#items;
    const after = new Map(items.map((item) => [item.id, JSON.stringify(item)]));
    this.#items = after;
    if (before === undefined) {
      const snapshot = this.snapshot();
      if (snapshot !== undefined) this.#send(snapshot);
      return;
    }
    const patch = diffItems(before, after, items);
    if (patch.set.length + patch.removed.length > 0) this.#send({ event: 'patch', data: JSON.stringify(patch) });
  }

  #comparePeers(counters: ReadonlyMap<string, PacketCounters>): void {
    const sample = { time: this.#clock.now(), counters };
    if (this.#peers) this.#peerRates = computePacketRates(this.#peers, sample);
    this.#peers = sample;
  }

  async #sample(): Promise<void> {
    try {
      const sample = { time: this.#clock.now(), counters: await this.#source.sample() };
      if (this.#running === undefined) return;
      const before = this.#interfaces;
      this.#interfaces = sample;
      if (before) this.#sendRates({ links: computeRates(before, sample), peers: this.#peerRates });
    } catch (error) {
      this.#logger.debug('counters of interfaces cannot be read', { error: messageOf(error) });
    }
  }

  /** One message without rates follows the last traffic; then none until there is some. */
  #sendRates(rates: RatesMessage): void {
    const isQuiet = Object.keys(rates.links).length + Object.keys(rates.peers).length === 0;
    if (!isQuiet || !this.#wasQuiet) this.#send({ event: 'rates', data: JSON.stringify(rates) });
    this.#wasQuiet = isQuiet;
  }

  #send(message: FeedMessage): void {
    for (const listener of this.#listeners) listener(message);
  }
}

/** Both maps have the JSON of items by id. Pure. */
export function diffItems(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  items: readonly PageItem[],
): PatchMessage {
  return {
    set: items.filter(({ id }) => before.get(id) !== after.get(id)),
    removed: [...before.keys()].filter((id) => !after.has(id)),
  };
}
