/** Reads the kernel's counts of dropped packets every few seconds, and writes those of this host and of endpoints. */
import { type Clock, type Logger, messageOf } from '@netyard/core';
import type { DropCount, DropCounter } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import type { JournalEntry } from '../entry.ts';
import { DropNamespaces, type KnownNamespace } from './drop-namespaces.ts';
import { listDropNamespaces, namesOfHostLink } from './drop-places.ts';
import { DropRate, type DropReport, type DropSample } from './drop-rate.ts';

/** What the daemon passes of the kernel package. */
export interface DropSource {
  /** Throws where the kernel does not count drops by reason. */
  open(): DropCounter;
  /** Inode of the namespace; undefined when it is gone. */
  inodeOf(path: string): number | undefined;
  /** Names of interfaces by index. */
  linkNames(path: string): ReadonlyMap<number, string>;
}

export interface DropRecorderOptions {
  source: DropSource;
  networks: Networks;
  note(entry: Omit<JournalEntry, 'time'>): void;
  clock: Clock;
  logger: Logger;
}

const sampleMilliseconds = 10_000;
/** Of one entry. */
const maximumReasons = 8;

export class DropRecorder {
  readonly #options: DropRecorderOptions;
  readonly #rate = new DropRate();
  readonly #timer: NodeJS.Timeout;
  #counter: DropCounter | undefined;
  #since = 0n;
  #hasEnded = false;
  readonly #namespaces: DropNamespaces;
  #running: Promise<void> = Promise.resolve();

  /** The counter is opened with the first sample, away from the start of the daemon. */
  constructor(options: DropRecorderOptions) {
    const { source, networks } = options;
    this.#options = options;
    this.#namespaces = new DropNamespaces({
      list: () => listDropNamespaces(networks),
      inodeOf: (path) => source.inodeOf(path),
    });
    this.#timer = setInterval(() => void this.sample(), sampleMilliseconds).unref();
  }

  /** Opens the counter at first, and reads it then. Never rejects: after an error it samples no more. */
  sample(): Promise<void> {
    this.#running = this.#running.then(() => this.#sampleNow());
    return this.#running;
  }

  async #sampleNow(): Promise<void> {
    const { clock } = this.#options;
    if (this.#hasEnded) return;
    try {
      if (this.#counter) await this.#read(this.#counter, clock.now());
      else this.#open();
    } catch (error) {
      this.#end();
      const text = `dropped packets are not recorded: ${messageOf(error)}`;
      this.#options.note({ kind: 'drops', object: 'host', text, commands: [], names: [] });
    }
  }

  #open(): void {
    this.#counter = this.#options.source.open();
    this.#since = this.#options.clock.now();
  }

  async #read(counter: DropCounter, now: bigint): Promise<void> {
    const known = await this.#identify(counter.take());
    for (const report of this.#rate.take(known.map(toSample), this.#since, now)) this.#note(report);
    this.#noteOmitted(now, false);
    this.#since = now;
  }

  /** Those of the host and of endpoints; namespaces of others are left out. */
  async #identify(counts: readonly DropCount[]): Promise<DropCount[]> {
    if (counts.some(({ namespace }) => !this.#namespaces.isKnown(namespace))) await this.#namespaces.lookUp();
    return counts.filter(({ namespace }) => this.#namespaces.find(namespace) !== undefined);
  }

  #note({ place, reasons, period }: DropReport): void {
    const [inode = 0, index = 0] = place.split('/').map(Number);
    const namespace = this.#namespaces.find(inode);
    if (namespace === undefined) return; // its container has ended
    const link = index === 0 ? '' : this.#linkName(namespace, index);
    const named = reasons.slice(0, maximumReasons).map(([reason, packets]) => `${packets} ${reason}`);
    const others = reasons.slice(maximumReasons).reduce((sum, [, packets]) => sum + packets, 0);
    const list = [...named, ...(others > 0 ? [`${others} for other reasons`] : [])].join(', ');
    const users = namespace.object === 'host' && link !== '' ? namesOfHostLink(this.#options.networks, link) : [];
    this.#options.note({
      ...{ kind: 'drops', object: namespace.object, commands: [] },
      text: `${link === '' ? '' : `${link}: `}${list} in ${describePeriod(period)}`,
      names: [...new Set([...namespace.names, link, ...users])].filter((name) => name !== ''),
    });
  }

  #linkName(namespace: KnownNamespace, index: number): string {
    if (!namespace.links.has(index)) {
      try {
        namespace.links = this.#options.source.linkNames(namespace.path);
      } catch {
        // the namespace is gone
      }
    }
    return namespace.links.get(index) ?? `if${index}`;
  }

  #noteOmitted(now: bigint, isEnd: boolean): void {
    const omitted = this.#rate.takeOmitted(now, isEnd);
    if (!omitted) return;
    const { packets, places } = omitted;
    const text = `${packets} more dropped packets in ${places} place${places === 1 ? '' : 's'}`;
    this.#options.note({ kind: 'drops', object: 'host', text, commands: [], names: [] });
  }

  #end(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    try {
      this.#counter?.close();
    } catch (error) {
      this.#options.logger.warn('the counter of dropped packets cannot be closed', { error: messageOf(error) });
    }
    this.#counter = undefined;
  }

  /** Writes what was not due yet. Never rejects. */
  async close(): Promise<void> {
    await this.#running;
    try {
      const now = this.#options.clock.now();
      if (this.#counter) await this.#read(this.#counter, now);
      for (const report of this.#rate.takeAll(now)) this.#note(report);
      this.#noteOmitted(now, true);
    } catch (error) {
      this.#options.logger.warn('dropped packets are missing in the journal', { error: messageOf(error) });
    }
    this.#end();
  }
}

const toSample = ({ namespace, linkIndex, reason, packets }: DropCount): DropSample => ({
  ...{ place: `${namespace}/${linkIndex}`, reason, packets },
});

/** `10 s`, `5 min`, `1 h`. */
function describePeriod(nanoseconds: bigint): string {
  const seconds = Math.max(1, Math.round(Number(nanoseconds) / 1e9));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
