/**
 * Publishes this host's names and its containers on networks of the cluster: keeps the desired keys and the state in etcd,
 * and writes the difference. The keys are attached to the host's lease.
 */
import type { ClusterEndpoint, PublishedName } from './contract.ts';
import type { Entry } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { put, remove } from './etcd/txn.ts';
import type { KeyChange } from './etcd/watch.ts';
import { encodeKey, parseKey } from './keys.ts';
import { encodeEndpoint, encodeName } from './values.ts';

type OwnName = Omit<PublishedName, 'host'>;
type OwnEndpoint = Omit<ClusterEndpoint, 'host'>;

/** etcd accepts 128 operations per transaction (--max-txn-ops). */
const BATCH = 100;

export class Publisher {
  readonly #cluster: string;
  readonly #host: string;
  /** Desired names by key; undefined until the first `setDesired`. */
  #desired: Map<string, { name: PublishedName; text: string }> | undefined;
  /** The same for endpoints. */
  #endpoints: Map<string, string> | undefined;
  #written = new Map<string, { text: string; lease: bigint }>();
  /** Revision of our last write: the watch's reports of earlier revisions are outdated. */
  #revision = 0n;
  #dirty = Promise.withResolvers<void>();

  constructor(cluster: string, host: string) {
    this.#cluster = cluster;
    this.#host = host;
  }

  names(): PublishedName[] {
    return [...(this.#desired?.values() ?? [])].map(({ name }) => name);
  }

  /** Replaces the desired names and returns the changes for local listeners. */
  setDesired(names: readonly OwnName[]): { set: PublishedName[]; removed: PublishedName[] } {
    const before = this.#desired ?? new Map();
    const desired = names.map((own) => {
      const name = { ...own, host: this.#host };
      return [encodeKey(this.#cluster, { kind: 'name', host: this.#host, name: own.name }), name] as const;
    });
    const after = new Map(desired.map(([key, name]) => [key, { name, text: encodeName(name) }]));
    this.#desired = after;
    this.#dirty.resolve();
    return {
      set: [...after].filter(([key, { text }]) => before.get(key)?.text !== text).map(([, { name }]) => name),
      removed: [...before].filter(([key]) => !after.has(key)).map(([, { name }]) => name),
    };
  }

  setEndpoints(endpoints: readonly OwnEndpoint[]): void {
    this.#endpoints = new Map(
      endpoints.map(({ networkId, containerId, ...value }) => [
        encodeKey(this.#cluster, { kind: 'endpoint', networkId, host: this.#host, containerId }),
        encodeEndpoint(value),
      ]),
    );
    this.#dirty.resolve();
  }

  /** Sets the state in etcd from a list of the whole cluster's keys. */
  reset({ revision, entries }: { revision: bigint; entries: readonly Entry[] }): void {
    this.#revision = revision;
    const own = entries.filter(({ key }) => this.#isOwn(key));
    this.#written = new Map(own.map(({ key, value, lease }) => [key, { text: value, lease }]));
    this.#dirty.resolve();
  }

  /** Records changes of our keys by other programs, which are then overwritten. */
  observe(changes: readonly KeyChange[]): void {
    for (const { action, entry } of changes) {
      if (entry.modRevision <= this.#revision || !this.#isOwn(entry.key)) continue;
      if (action === 'put') this.#written.set(entry.key, { text: entry.value, lease: entry.lease });
      else this.#written.delete(entry.key);
      this.#dirty.resolve();
    }
  }

  /** Writes the differences, now and after every change; ends by rejecting. */
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
    const desired = this.#desiredTexts();
    const puts = [...desired].filter(([key, text]) => {
      const written = this.#written.get(key);
      return written?.text !== text || written.lease !== lease;
    });
    const removals = [...this.#written.keys()].filter((key) => !desired.has(key) && this.#isKnown(key));
    const work = [
      ...puts.map(([key, text]) => ({ key, text, operation: put(key, text, lease) })),
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

  #desiredTexts(): Map<string, string> {
    const names = [...(this.#desired ?? [])].map(([key, { text }]) => [key, text] as const);
    return new Map([...names, ...(this.#endpoints ?? [])]);
  }

  /** Whether the desired keys of its kind are known: those of an earlier run stay until then. */
  #isKnown(key: string): boolean {
    const isName = parseKey(this.#cluster, key)?.kind === 'name';
    return (isName ? this.#desired : this.#endpoints) !== undefined;
  }

  #isOwn(key: string): boolean {
    const parsed = parseKey(this.#cluster, key);
    return (parsed?.kind === 'name' || parsed?.kind === 'endpoint') && parsed.host === this.#host;
  }
}
