/**
 * Index of links by parent and by child id, so that renames do not affect it. In memory only: the caller of a change also
 * persists the record. Full names (`/parent/alias`) are composed from the parent's current name.
 */
import type { LinkRecord } from '../contract.ts';

export class LinkIndex {
  readonly #byParent = new Map<string, Map<string, LinkRecord>>();
  readonly #byChild = new Map<string, Set<LinkRecord>>();

  constructor(records: readonly LinkRecord[] = []) {
    for (const record of records) this.put(record);
  }

  get(parentId: string, alias: string): LinkRecord | undefined {
    return this.#byParent.get(parentId)?.get(alias);
  }

  /** Replaces the parent's link of the same alias. */
  put(record: LinkRecord): void {
    const old = this.get(record.parentId, record.alias);
    if (old) this.delete(old);
    const aliases = this.#byParent.get(record.parentId) ?? new Map<string, LinkRecord>();
    this.#byParent.set(record.parentId, aliases.set(record.alias, record));
    const parents = this.#byChild.get(record.childId) ?? new Set<LinkRecord>();
    this.#byChild.set(record.childId, parents.add(record));
  }

  delete(record: LinkRecord): void {
    const held = this.get(record.parentId, record.alias);
    if (!held) return;
    const aliases = this.#byParent.get(held.parentId);
    aliases?.delete(held.alias);
    if (aliases?.size === 0) this.#byParent.delete(held.parentId);
    const parents = this.#byChild.get(held.childId);
    parents?.delete(held);
    if (parents?.size === 0) this.#byChild.delete(held.childId);
  }

  /** In the order in which they were given. */
  ofParent(parentId: string): LinkRecord[] {
    const records = [...(this.#byParent.get(parentId)?.values() ?? [])];
    return records.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  }

  ofChild(childId: string): LinkRecord[] {
    return [...(this.#byChild.get(childId) ?? [])];
  }

  all(): LinkRecord[] {
    return [...this.#byParent.values()].flatMap((aliases) => [...aliases.values()]);
  }
}
