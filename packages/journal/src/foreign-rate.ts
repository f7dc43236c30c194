/**
 * Limits entries of other programs' changes: a routing daemon or another engine may make thousands, which would displace
 * the rest of the journal. Those beyond are counted. Reads no clock.
 */
import type { JournalEntry } from './entry.ts';

const windowMinutes = 10n;
const window = windowMinutes * 60_000_000_000n;
const maximumEntries = 200;

export class ForeignRate {
  #since = 0n;
  #count = 0;
  /** Of windows that are over. */
  #omitted = 0;

  /** Counts one change. */
  isWithin(now: bigint): boolean {
    if (now - this.#since >= window) this.#begin(now);
    this.#count += 1;
    return this.#count <= maximumEntries;
  }

  /** The count of what was left out, if its window is over. */
  takeCount(now: bigint): Omit<JournalEntry, 'time'>[] {
    if (now - this.#since >= window) this.#begin(now);
    return this.#takeOmitted();
  }

  takeAll(): Omit<JournalEntry, 'time'>[] {
    this.#begin(this.#since);
    return this.#takeOmitted();
  }

  #begin(now: bigint): void {
    this.#omitted += Math.max(0, this.#count - maximumEntries);
    this.#since = now;
    this.#count = 0;
  }

  #takeOmitted(): Omit<JournalEntry, 'time'>[] {
    if (this.#omitted === 0) return [];
    const text = `${this.#omitted} more change${this.#omitted === 1 ? '' : 's'} by other programs`;
    this.#omitted = 0;
    return [{ kind: 'foreign', object: 'host', text, commands: [], names: [] }];
  }
}
