/**
 * The objects of the fake kernel: observed, created and deleted as a real kernel does it when a namespace, link or table is
 * missing.
 */
import { parsePrefix } from '@netyard/core';
import {
  describeObject,
  identityOf,
  type KernelObject,
  type KernelOperation,
  type NftFamily,
  type NftTableObject,
  namespaceOf,
  netnsDirectory,
  type Observation,
} from '@netyard/kernel';
import { failure } from './fake-failure.ts';
import { asCreated, dependentsOf, type FakeLinks, isLoopbackAddress, loopbackUp } from './fake-links.ts';

export class FakeObjects {
  readonly #objects = new Map<string, KernelObject>();
  readonly #links: FakeLinks;

  constructor(links: FakeLinks) {
    this.#links = links;
  }

  /** In the order of their creation. */
  list(): KernelObject[] {
    return [...this.#objects.values()];
  }

  put(object: KernelObject): void {
    this.#objects.set(identityOf(object), object);
  }

  /** A function that restores the objects of now. */
  snapshot(): () => void {
    const before = new Map(this.#objects);
    return () => {
      this.#objects.clear();
      for (const [key, object] of before) this.#objects.set(key, object);
    };
  }

  observe(object: KernelObject): Observation {
    if (object.kind === 'link-state') return this.#observeLinkState(object);
    if (isLoopbackAddress(object)) return this.#observeLinkState(loopbackUp(object.ns));
    const found = this.#objects.get(identityOf(object));
    if (!found) return { state: 'absent' };
    return sameObject(found, object)
      ? { state: 'present' }
      : { state: 'different', found: `another ${describeObject(found)}` };
  }

  #observeLinkState(object: KernelObject & { kind: 'link-state' }): Observation {
    const exists = this.#isPinned(object.ns) && this.#links.exists(this.list(), object.name, object.ns);
    if (!exists) return { state: 'absent' };
    const found = this.#objects.get(identityOf(object));
    return found && sameObject(found, asCreated(object))
      ? { state: 'present' }
      : { state: 'different', found: 'another state' };
  }

  perform(operation: KernelOperation): void {
    const { object } = operation;
    if (operation.action === 'delete') {
      this.drop(object);
    } else {
      this.#checkDependencies(object);
      this.put(object);
    }
  }

  /** Fails when a namespace, link or table that the object needs does not exist. */
  #checkDependencies(object: KernelObject): void {
    const name = describeObject(object);
    if (!this.#isPinned(namespaceOf(object))) throw failure('ENOENT', 'enter', name);
    if (object.kind === 'veth' && !this.#isPinned(object.peer.ns)) throw failure('ENOENT', 'enter', `peer of ${name}`);
    for (const link of this.#links.neededBy(object)) {
      if (!this.#links.exists(this.list(), link, namespaceOf(object)))
        throw failure('ENODEV', 'find', `${link} for ${name}`);
    }
    if (object.kind === 'address') parsePrefix(object.prefix);
    if (object.kind !== 'nft-element') return;
    if (this.tableOf(object) === undefined) throw failure('ENOENT', 'nft add', name);
  }

  tableOf(where: { ns?: string; family: NftFamily; table: string }): NftTableObject | undefined {
    const table: KernelObject = { kind: 'nft-table', family: where.family, name: where.table, body: '' };
    const found = this.#objects.get(identityOf(where.ns === undefined ? table : { ...table, ns: where.ns }));
    return found?.kind === 'nft-table' ? found : undefined;
  }

  /** Namespaces elsewhere, such as /proc/1/ns/net, count as existing. */
  #isPinned(path: string | undefined): boolean {
    return path === undefined || !path.startsWith(`${netnsDirectory}/`) || this.#has({ kind: 'netns', path });
  }

  #has(object: KernelObject): boolean {
    return this.#objects.has(identityOf(object));
  }

  /** Deletes an object and all that cannot exist without it. */
  drop(object: KernelObject): void {
    this.#objects.delete(identityOf(object));
    for (const dependent of dependentsOf(object, this.list())) this.drop(dependent);
  }
}

/** Ignores the order of keys and keys that are undefined. */
function sameObject(a: KernelObject, b: KernelObject): boolean {
  const canonical = (_key: string, value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
      : value;
  return JSON.stringify(a, canonical) === JSON.stringify(b, canonical);
}
