/**
 * The names that this host publishes: what is wanted, what stands in etcd, and the writing of the difference. They
 * hang on the host's lease.
 */
import type { PublishedName } from './contract.ts';
import type { Entry } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { put, remove } from './etcd/txn.ts';
import type { KeyChange } from './etcd/watch.ts';
import { encodeKey, parseKey } from './keys.ts';
import { encodeName } from './values.ts';

type OwnName = Omit<PublishedName, 'host'>;

/** etcd takes 128 operations in one transaction (--max-txn-ops). */
const BATCH = 100;

export class Publisher {
  readonly #cluster: string;
  readonly #host: string;
  /** By key; undefined until somebody says what is wanted. */
  #wanted: Map<string, { name: PublishedName; text: string }> | undefined;
  #written = new Map<string, { text: string; lease: bigint }>();
  /** Of our last writing: what the watch tells of earlier ones is old. */
  #revision = 0n;
  #dirty = Promise.withResolvers<void>();

  constructor(cluster: string, host: string) {
    this.#cluster = cluster;
    this.#host = host;
  }

  names(): PublishedName[] {
    return [...(this.#wanted?.values() ?? [])].map(({ name }) => name);
  }

  /** Returns what that changes for listeners here. */
  want(names: readonly OwnName[]): { set: PublishedName[]; removed: PublishedName[] } {
    const before = this.#wanted ?? new Map();
    const wanted = names.map((own) => {
      const name = { ...own, host: this.#host };
      return [encodeKey(this.#cluster, { kind: 'name', host: this.#host, name: own.name }), name] as const;
    });
    const after = new Map(wanted.map(([key, name]) => [key, { name, text: encodeName(name) }]));
    this.#wanted = after;
    this.#dirty.resolve();
    return {
      set: [...after].filter(([key, { text }]) => before.get(key)?.text !== text).map(([, { name }]) => name),
      removed: [...before].filter(([key]) => !after.has(key)).map(([, { name }]) => name),
    };
  }

  /** What stands in etcd, as a list of the whole cluster has it. */
  reset({ revision, entries }: { revision: bigint; entries: readonly Entry[] }): void {
    this.#revision = revision;
    const own = entries.filter(({ key }) => this.#isOwn(key));
    this.#written = new Map(own.map(({ key, value, lease }) => [key, { text: value, lease }]));
    this.#dirty.resolve();
  }

  /** Somebody else may write what is ours: it is written again. */
  observe(changes: readonly KeyChange[]): void {
    for (const { action, entry } of changes) {
      if (entry.modRevision <= this.#revision || !this.#isOwn(entry.key)) continue;
      if (action === 'put') this.#written.set(entry.key, { text: entry.value, lease: entry.lease });
      else this.#written.delete(entry.key);
      this.#dirty.resolve();
    }
  }

  /** Writes what differs, now and whenever it does; ends by rejecting. */
  async run(session: EtcdSession, lease: bigint, signal: AbortSignal): Promise<never> {
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    for (;;) {
      signal.throwIfAborted();
      await Promise.race([this.#dirty.promise, aborted.promise]);
      this.#dirty = Promise.withResolvers();
      await this.#flush(session, lease);
    }
  }

  async #flush(session: EtcdSession, lease: bigint): Promise<void> {
    if (!this.#wanted) return;
    const wanted = this.#wanted;
    const puts = [...wanted].filter(([key, { text }]) => {
      const written = this.#written.get(key);
      return written?.text !== text || written.lease !== lease;
    });
    const removals = [...this.#written.keys()].filter((key) => !wanted.has(key));
    const work = [
      ...puts.map(([key, { text }]) => ({ key, text, operation: put(key, text, lease) })),
      ...removals.map((key) => ({ key, text: undefined, operation: remove(key) })),
    ];
    for (let from = 0; from < work.length; from += BATCH) {
      const batch = work.slice(from, from + BATCH);
      const answer = await session.kv.txn({ success: batch.map(({ operation }) => operation) });
      this.#revision = answer.header?.revision ?? this.#revision;
      for (const { key, text } of batch) {
        if (text === undefined) this.#written.delete(key);
        else this.#written.set(key, { text, lease });
      }
    }
  }

  #isOwn(key: string): boolean {
    const parsed = parseKey(this.#cluster, key);
    return parsed?.kind === 'name' && parsed.host === this.#host;
  }
}
