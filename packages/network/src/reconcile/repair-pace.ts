/**
 * Delays repairs with back-off. Another program that keeps undoing a repair would otherwise keep both busy: when an
 * object was repaired too often within a window, further repairs are delayed until the window has passed. Reads no
 * clock.
 */

const gatherMilliseconds = 50;
const contestedMilliseconds = 1000;
const windowMilliseconds = 10_000;
const repairsInWindow = 8;

export class RepairPace {
  /** Times of recent repairs, by object. */
  readonly #repairs = new Map<string, number[]>();
  readonly #contested = new Set<string>();
  readonly #limit: number;

  /** @param limit number of repairs of one object within ten seconds that makes it contested */
  constructor(limit = repairsInWindow) {
    this.#limit = limit;
  }

  /** Records repairs at `now`. Returns the objects that become contested with it, for the log. */
  note(objects: readonly string[], now: number): string[] {
    this.#expire(now);
    return objects.filter((object) => {
      const times = this.#repairs.get(object) ?? [];
      this.#repairs.set(object, [...times, now]);
      if (this.#contested.has(object) || times.length + 1 < this.#limit) return false;
      this.#contested.add(object);
      return true;
    });
  }

  /** Milliseconds to wait between an event and the repair. */
  delay(now: number): number {
    this.#expire(now);
    return this.#contested.size > 0 ? contestedMilliseconds : gatherMilliseconds;
  }

  #expire(now: number): void {
    for (const [object, times] of this.#repairs) {
      const recent = times.filter((time) => now - time < windowMilliseconds);
      this.#repairs.set(object, recent);
      if (recent.length > 0) continue;
      this.#repairs.delete(object);
      this.#contested.delete(object);
    }
  }
}
