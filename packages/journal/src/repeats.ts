/**
 * Repairs that are repeated again and again, because another program keeps undoing them: the first have an entry each, the
 * others are counted, so that they do not displace the rest of the journal. Reads no clock.
 */
import type { JournalEntry } from './entry.ts';

type Entry = Omit<JournalEntry, 'time'>;

interface Repeated {
  entry: Entry;
  count: number;
  /** Nanoseconds since 1970. */
  since: bigint;
}

const windowMinutes = 10n;
const window = windowMinutes * 60_000_000_000n;
/** Equal entries within a window that are written. */
const written = 5;
/** Different entries that are remembered. */
const maximumRemembered = 1000;

export class Repeats {
  /** In the order of `since`. */
  readonly #seen = new Map<string, Repeated>();

  /**
   * The entries to write: this one unless it is repeated too often, and the counts of windows that are over. Entries of
   * one key are equal.
   */
  take(entry: Entry, now: bigint, key = `${entry.object} ${entry.text}`): Entry[] {
    const due = this.takeCounts(now);
    const seen = this.#seen.get(key) ?? { entry, count: 0, since: now };
    seen.count += 1;
    this.#seen.set(key, seen);
    if (this.#seen.size > maximumRemembered) due.push(...this.#forgetOldest());
    return seen.count <= written ? [...due, entry] : due;
  }

  /** The counts of windows that are over. */
  takeCounts(now: bigint): Entry[] {
    const due: Entry[] = [];
    for (const { since } of this.#seen.values()) {
      if (now - since < window) break;
      due.push(...this.#forgetOldest());
    }
    return due;
  }

  /** All counts, also those of windows that are not over. */
  takeAll(): Entry[] {
    const due: Entry[] = [];
    while (this.#seen.size > 0) due.push(...this.#forgetOldest());
    return due;
  }

  #forgetOldest(): Entry[] {
    const [oldest] = this.#seen;
    if (!oldest) return [];
    const [key, { entry, count }] = oldest;
    this.#seen.delete(key);
    if (count <= written) return [];
    const times = count - written;
    const text = `${times} more time${times === 1 ? '' : 's'} within ${windowMinutes} minutes: ${entry.text}`;
    return [{ ...entry, text }];
  }
}
