/** The items of the page and how messages change them. Pure. */
import type { PageItem, PatchMessage, SnapshotMessage } from './model.ts';

export type Items = ReadonlyMap<string, PageItem>;

export const itemsOf = ({ items }: SnapshotMessage): Items => new Map(items.map((item) => [item.id, item]));

export function applyPatch(before: Items, { set, removed }: PatchMessage): Items {
  const after = new Map(before);
  for (const id of removed) after.delete(id);
  for (const item of set) after.set(item.id, item);
  return after;
}
