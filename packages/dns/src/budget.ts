/**
 * Divides a limit fairly: up to half of it is taken freely; beyond, no holder gets more than an equal share of the other
 * half, so that a few greedy holders cannot lock others out. Pure.
 */
export class FairBudget {
  readonly #limit: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes one unit; false when the holder has its share already. */
  take(holder: string): boolean {
    const held = this.#held.get(holder) ?? 0;
    const holders = this.#held.size + (held === 0 ? 1 : 0);
    if (this.#total >= this.#limit) return false;
    if (this.#total >= this.#limit / 2 && held >= Math.max(1, Math.floor(this.#limit / 2 / holders))) return false;
    this.#held.set(holder, held + 1);
    this.#total += 1;
    return true;
  }

  release(holder: string): void {
    const held = this.#held.get(holder) ?? 0;
    if (held === 0) return;
    this.#total -= 1;
    if (held === 1) this.#held.delete(holder);
    else this.#held.set(holder, held - 1);
  }
}
