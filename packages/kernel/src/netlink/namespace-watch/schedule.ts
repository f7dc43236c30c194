/**
 * Decides which namespaces have a notification socket, and which are sampled next. No I/O and no clock.
 *
 * A namespace is subscribed when it is added, and each time it changes. When there are more subscribed ones than allowed,
 * those that have been quiet for longest are sampled: one whose digest is known needs no socket any longer, because a later
 * digest that differs says that it changed in between. So no change is missed on the way from one to the other.
 */

export interface WatchLimits {
  /** Namespaces with a notification socket. Held ones, and those that wait for their sample, may be more. */
  mostSubscribed: number;
  /** Namespaces in one batch of samples. */
  mostSamples: number;
}

/** `changed`: to be subscribed and reported. `unsubscribed`: needs no socket from now on. `none`: nothing to do. */
export type SampleResult = 'changed' | 'unsubscribed' | 'none';

interface Watched {
  /** Of the last sample; undefined while notifications say what changes. */
  digest: number | undefined;
  readonly holders: Set<object>;
}

export class WatchSchedule {
  readonly #limits: WatchLimits;
  /** The one that has been quiet for longest is first. */
  readonly #subscribed = new Map<string, Watched>();
  /** The one whose sample is oldest is first. */
  readonly #unsubscribed = new Map<string, Watched>();
  /** Subscribed ones with a sample on its way, which lose their socket unless they change until it arrives. */
  readonly #leaving = new Set<string>();

  constructor(limits: WatchLimits) {
    this.#limits = limits;
  }

  /** Whether no namespace has to be sampled. */
  get isIdle(): boolean {
    return this.#unsubscribed.size === 0 && this.#surplus === 0 && !this.#hasUnverified;
  }

  has(path: string): boolean {
    return this.#subscribed.has(path) || this.#unsubscribed.has(path);
  }

  /** Subscribed from now on. */
  add(path: string): void {
    if (this.has(path)) return;
    this.#subscribed.set(path, { digest: undefined, holders: new Set() });
  }

  remove(path: string): void {
    this.#subscribed.delete(path);
    this.#unsubscribed.delete(path);
    this.#leaving.delete(path);
  }

  /** A notification was received: what a sample said, or will say, is out of date. */
  noteChange(path: string): void {
    const watched = this.#subscribed.get(path);
    if (!watched) return;
    watched.digest = undefined;
    this.#moveToEnd(path, watched);
  }

  /**
   * Subscribed from now on, until `release` with the same holder. What changed before, since its last sample, is found by
   * the next one. False when it is not watched.
   */
  hold(path: string, holder: object): boolean {
    const watched = this.#subscribed.get(path) ?? this.#unsubscribed.get(path);
    if (!watched) return false;
    watched.holders.add(holder);
    this.#moveToEnd(path, watched);
    return true;
  }

  release(path: string, holder: object): void {
    const watched = this.#subscribed.get(path) ?? this.#unsubscribed.get(path);
    if (watched?.holders.delete(holder) && this.#subscribed.has(path)) this.#moveToEnd(path, watched);
  }

  /** Its socket could not be opened: it is sampled. Without any digest, its next sample counts as a change. */
  unsubscribe(path: string, digest?: number): void {
    const watched = this.#subscribed.get(path);
    if (!watched) return;
    watched.digest = digest ?? watched.digest;
    this.#subscribed.delete(path);
    this.#leaving.delete(path);
    this.#unsubscribed.set(path, watched);
  }

  /** To be sampled now. `noteSample` has to be called for each before the next call. */
  nextBatch(): string[] {
    const batch: string[] = [];
    const { mostSamples } = this.#limits;
    for (const [path, { digest }] of this.#subscribed)
      if (digest !== undefined && batch.length < mostSamples) batch.push(path);
    this.#leaving.clear();
    let surplus = this.#surplus;
    for (const [path, { holders, digest }] of this.#subscribed) {
      if (surplus === 0 || batch.length >= mostSamples) break;
      if (holders.size > 0 || digest !== undefined) continue;
      surplus -= 1;
      this.#leaving.add(path);
      batch.push(path);
    }
    for (const path of this.#unsubscribed.keys()) {
      if (batch.length >= mostSamples) break;
      batch.push(path);
    }
    return batch;
  }

  /** @param digest undefined for a namespace that could not be read */
  noteSample(path: string, digest: number | undefined): SampleResult {
    const subscribed = this.#subscribed.get(path);
    if (subscribed) return this.#noteSubscribed(path, subscribed, digest);
    const watched = this.#unsubscribed.get(path);
    if (!watched) return 'none';
    const hasChanged = digest !== undefined && digest !== watched.digest;
    this.#unsubscribed.delete(path); // and to the end, or among those with a socket
    if (!hasChanged) {
      this.#unsubscribed.set(path, watched);
      return 'none';
    }
    this.#subscribed.set(path, watched);
    watched.digest = undefined;
    return 'changed';
  }

  #noteSubscribed(path: string, watched: Watched, digest: number | undefined): SampleResult {
    const before = watched.digest;
    const isLeaving = this.#leaving.delete(path);
    if (digest === undefined) return 'none';
    if (before !== undefined) {
      watched.digest = undefined;
      return digest === before ? 'none' : 'changed';
    }
    if (!isLeaving) return 'none';
    watched.digest = digest;
    this.#subscribed.delete(path);
    this.#unsubscribed.set(path, watched);
    return 'unsubscribed';
  }

  get #surplus(): number {
    return Math.max(0, this.#subscribed.size - this.#limits.mostSubscribed);
  }

  get #hasUnverified(): boolean {
    for (const { digest } of this.#subscribed.values()) if (digest !== undefined) return true;
    return false;
  }

  #moveToEnd(path: string, watched: Watched): void {
    this.#leaving.delete(path);
    this.#unsubscribed.delete(path);
    this.#subscribed.delete(path);
    this.#subscribed.set(path, watched);
  }
}
