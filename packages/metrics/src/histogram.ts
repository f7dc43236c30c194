/** Counters and histograms that grow while the daemon runs, with one label. */
import type { Family, Sample } from './exposition.ts';

/** Prometheus' default buckets, which dockerd has. Seconds. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Counted {
  /** By bucket, not cumulative; the last one is above all bounds. */
  buckets: number[];
  sum: number;
}

/** Durations by the value of one label; without label if this is ''. Values that are known from the start begin at 0. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #label: string;
  readonly #counted = new Map<string, Counted>();

  constructor(label: string, values: readonly string[], bounds: readonly number[] = defaultBuckets) {
    this.#label = label;
    this.#bounds = bounds;
    for (const value of values) this.#of(value);
  }

  observe(value: string, seconds: number): void {
    const counted = this.#of(value);
    const index = this.#bounds.findIndex((bound) => seconds <= bound);
    const bucket = index < 0 ? this.#bounds.length : index;
    counted.buckets[bucket] = (counted.buckets[bucket] ?? 0) + 1;
    counted.sum += seconds;
  }

  family(name: string, help: string): Family {
    return {
      name,
      help,
      type: 'histogram',
      samples: [...this.#counted].flatMap(([value, one]) => this.#samples(value, one)),
    };
  }

  #of(value: string): Counted {
    const found = this.#counted.get(value);
    if (found) return found;
    const made = { buckets: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
    this.#counted.set(value, made);
    return made;
  }

  #samples(value: string, { buckets, sum }: Counted): Sample[] {
    const labels = this.#label === '' ? {} : { [this.#label]: value };
    let count = 0;
    const cumulative = buckets.map((amount, index): Sample => {
      count += amount;
      const bound = this.#bounds[index];
      return {
        suffix: '_bucket',
        labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) },
        value: count,
      };
    });
    return [...cumulative, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
  }
}

/** Counts by the value of one label. */
export class CounterSet {
  readonly #label: string;
  readonly #counts = new Map<string, number>();

  constructor(label: string, values: readonly string[]) {
    this.#label = label;
    for (const value of values) this.#counts.set(value, 0);
  }

  add(value: string): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
  }

  family(name: string, help: string): Family {
    const samples = [...this.#counts].map(([value, count]) => ({ labels: { [this.#label]: value }, value: count }));
    return { name, help, type: 'counter', samples };
  }
}
