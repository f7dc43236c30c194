/** Reads the usage of many containers, a few at a time; those that do not answer in time are left out. */

/** Reads in progress, so that a busy file system is not asked for everything at once. */
const maximumReads = 8;

export class UsageReader<T> {
  readonly #read: (id: string) => Promise<T>;
  /** A container whose former read has not ended is not read again. */
  readonly #pending = new Set<string>();

  constructor(read: (id: string) => Promise<T>) {
    this.#read = read;
  }

  /** Never rejects. A container that fails is left out: it may have ended meanwhile. */
  async readAll(ids: readonly string[], limitMs: number): Promise<Map<string, T>> {
    const found = new Map<string, T>();
    const left = ids.filter((id) => !this.#pending.has(id));
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      left.length = 0;
      resolve();
    }, limitMs);
    const work = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) await this.#readOne(id, found);
    };
    await Promise.race([Promise.all(Array.from({ length: maximumReads }, work)), late]);
    clearTimeout(timer);
    return new Map(found);
  }

  async #readOne(id: string, found: Map<string, T>): Promise<void> {
    this.#pending.add(id);
    try {
      found.set(id, await this.#read(id));
    } catch {
      // left out
    } finally {
      this.#pending.delete(id);
    }
  }
}
