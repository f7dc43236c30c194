/**
 * Decides which counts of dropped packets are written: few packets are not, and of a place that drops all the time one entry
 * per period, which doubles, so that neither displaces the rest of the journal. Reads no clock.
 */

/** Packets that were dropped in one place between two samples. */
export interface DropSample {
  /** Namespace and interface. */
  place: string;
  reason: string;
  packets: number;
}

export interface DropReport {
  place: string;
  /** Packets by reason, most first. */
  reasons: readonly [reason: string, packets: number][];
  /** Nanoseconds in which they were dropped. */
  period: bigint;
}

interface Place {
  reasons: Map<string, number>;
  /** Of the first packet in `reasons`, or of the sample before. */
  since: bigint;
  /** Written before: a new reason is written at once. */
  known: Set<string>;
  /** The next report of known reasons, and the period after it. */
  due: bigint;
  wait: bigint;
}

export interface DropsOmitted {
  packets: number;
  places: number;
}

const second = 1_000_000_000n;
/** Fewer packets in a minute are forgotten: a host loses some in ordinary operation. */
const minimumPackets = 3;
const patience = 60n * second;
const hour = 3600n * second;
/** Entries within an hour; those beyond are counted. */
const maximumReports = 60;
const maximumPlaces = 1000;

export class DropRate {
  readonly #places = new Map<string, Place>();
  #hourSince = 0n;
  #reports = 0;
  #omitted = new Map<string, number>();

  /** Reports that are due; `since` is the time of the sample before. */
  take(samples: readonly DropSample[], since: bigint, now: bigint): DropReport[] {
    for (const sample of samples) this.#add(sample, since, now);
    const due: DropReport[] = [];
    for (const [name, place] of this.#places) {
      if (!isEnough(place)) this.#expire(name, place, now);
      else if (now >= place.due || [...place.reasons.keys()].some((reason) => !place.known.has(reason)))
        due.push(this.#report(name, place, now));
    }
    return due.filter((report) => this.#isWithin(report, now));
  }

  /** What was not written in the hour that is over, or at the end. */
  takeOmitted(now: bigint, isEnd = false): DropsOmitted | undefined {
    if (this.#omitted.size === 0 || !(isEnd || now - this.#hourSince >= hour)) return undefined;
    const omitted = { packets: sum(this.#omitted.values()), places: this.#omitted.size };
    this.#omitted = new Map();
    return omitted;
  }

  /** Reports of all places that dropped enough packets, also those that are not due. */
  takeAll(now: bigint): DropReport[] {
    const all = [...this.#places].filter(([, place]) => isEnough(place));
    return all.map(([name, place]) => this.#report(name, place, now)).filter((report) => this.#isWithin(report, now));
  }

  #add({ place: name, reason, packets }: DropSample, since: bigint, now: bigint): void {
    let place = this.#places.get(name);
    if (!place) {
      if (this.#places.size >= maximumPlaces) {
        this.#omit(name, packets);
        return;
      }
      place = { reasons: new Map(), since, known: new Set(), due: now, wait: 0n };
      this.#places.set(name, place);
    }
    if (place.reasons.size === 0) place.since = since > place.since ? since : place.since;
    place.reasons.set(reason, (place.reasons.get(reason) ?? 0) + packets);
  }

  /** Forgets few packets after a minute, and a place that dropped none for as long as it had to wait. */
  #expire(name: string, place: Place, now: bigint): void {
    if (place.reasons.size > 0 && now - place.since >= patience) place.reasons.clear();
    if (place.reasons.size === 0 && now >= place.due + place.wait) this.#places.delete(name);
  }

  #report(name: string, place: Place, now: bigint): DropReport {
    const period = now - place.since;
    const reasons = [...place.reasons].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
    for (const [reason] of reasons) place.known.add(reason);
    place.wait = place.wait === 0n ? patience / 3n : place.wait * 2n > hour ? hour : place.wait * 2n;
    place.due = now + place.wait;
    place.since = now;
    place.reasons = new Map();
    return { place: name, reasons, period };
  }

  #isWithin({ place, reasons }: DropReport, now: bigint): boolean {
    if (now - this.#hourSince >= hour) {
      this.#hourSince = now;
      this.#reports = 0;
    }
    this.#reports += 1;
    if (this.#reports <= maximumReports) return true;
    this.#omit(place, sum(reasons.map(([, packets]) => packets)));
    return false;
  }

  /** Of the hour that `takeOmitted` looks at. */
  #omit(place: string, packets: number): void {
    if (this.#omitted.size < maximumPlaces || this.#omitted.has(place))
      this.#omitted.set(place, (this.#omitted.get(place) ?? 0) + packets);
  }
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0);
const isEnough = ({ reasons }: Place): boolean => sum(reasons.values()) >= minimumPackets;
