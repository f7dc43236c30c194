/**
 * How long a repair waits. Another program that keeps changing what Netyard repairs would otherwise keep both busy: when
 * the same thing was repaired some times in a short while the next repairs wait longer, until it has been calm. Reads no
 * clock.
 */

const gatherMilliseconds = 50;
const contestedMilliseconds = 1000;
const windowMilliseconds = 10_000;
const repairsInWindow = 8;

export class RepairPace {
  /** When each thing was repaired. */
  readonly #repairs = new Map<string, number[]>();
  readonly #contested = new Set<string>();
  readonly #limit: number;

  /** @param limit so many repairs of one thing within ten seconds make it contested */
  constructor(limit = repairsInWindow) {
    this.#limit = limit;
  }

  /** Notes repairs at `now`. Answers those that are contested from here on, for the log: each once in a contest. */
  note(things: readonly string[], now: number): string[] {
    this.#forget(now);
    return things.filter((thing) => {
      const times = this.#repairs.get(thing) ?? [];
      this.#repairs.set(thing, [...times, now]);
      if (this.#contested.has(thing) || times.length + 1 < this.#limit) return false;
      this.#contested.add(thing);
      return true;
    });
  }

  /** Milliseconds from an event to the repair. */
  delay(now: number): number {
    this.#forget(now);
    return this.#contested.size > 0 ? contestedMilliseconds : gatherMilliseconds;
  }

  #forget(now: number): void {
    for (const [thing, times] of this.#repairs) {
      const recent = times.filter((time) => now - time < windowMilliseconds);
      this.#repairs.set(thing, recent);
      if (recent.length > 0) continue;
      this.#repairs.delete(thing);
      this.#contested.delete(thing);
    }
  }
}
