/**
 * What the last recorded state had: of each group the keys and digests of its parts, in one text, because each container is
 * a group. Pure; in time slices, because states are long.
 */
import { hash } from 'node:crypto';
import { TimeSlice } from '@netyard/core';
import type { ItemGroup, StateItem } from './item.ts';

/** What is new or different, the keys of what is gone, and what was recorded once these are written. */
export interface Changes {
  set: StateItem[];
  gone: string[];
  recorded: RecordedGroups;
}

export class RecordedGroups {
  readonly #groups = new Map<string, string>();

  has(key: string): boolean {
    return this.#groups.has(key);
  }

  /** @param groups of a state, all of them; those without items are as they were recorded */
  async compare(groups: readonly ItemGroup[]): Promise<Changes> {
    const slice = new TimeSlice();
    const recorded = new RecordedGroups();
    const found = new Map<string, readonly [item: StateItem, digest: string]>();
    for (const { key, items } of groups) {
      const former = this.#groups.get(key);
      const parts = items?.map((item) => [item, digestOf(item)] as const) ?? [];
      const packed = items === undefined ? former : pack(key, parts);
      if (packed !== undefined) recorded.#groups.set(key, packed);
      if (packed !== former) for (const part of parts) found.set(part[0].key, part);
      if (slice.isOver) await slice.next();
    }
    const former = new Map<string, string>();
    for (const [key, packed] of this.#groups)
      if (recorded.#groups.get(key) !== packed)
        for (const [part, digest] of unpack(key, packed)) former.set(part, digest);
    const set = [...found.values()].flatMap(([item, digest]) => (former.get(item.key) === digest ? [] : [item]));
    const gone = [...former.keys()].filter((key) => !found.has(key));
    return { set, gone, recorded };
  }
}

const digestOf = (item: StateItem): string => hash('sha1', JSON.stringify(item), 'base64');

/** The key of a part that is its group's is left out. */
const pack = (group: string, parts: readonly (readonly [item: StateItem, digest: string])[]): string =>
  JSON.stringify(parts.map(([{ key }, digest]) => (key === group ? [digest] : [digest, key])));

const unpack = (group: string, packed: string): [key: string, digest: string][] =>
  (JSON.parse(packed) as [digest: string, key?: string][]).map(([digest, key = group]) => [key, digest]);
