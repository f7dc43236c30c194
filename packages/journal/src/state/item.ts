/** A part of the network's state, as the commands that create and remove it. Plain data, stored in the state files. */

import type { KernelObject } from '@netyard/kernel';
import type { ObjectPrinter } from '../repairs.ts';

/** Prints and parses as the kernel package does. Implemented by the daemon. */
export interface StatePrinter extends ObjectPrinter {
  /** The same for all states of one object. */
  identify(object: KernelObject): string;
  /** Elements in nft's listing of a set or map. */
  parseElements(listing: string): { key: string; value?: string; comment?: string }[];
}

/** A rule of a chain: its text, and the handle by which nft(8) deletes it. */
export type ChainRule = readonly [text: string, handle: number];

export interface StateItem {
  /** Names the part: two states have the same part if the keys are equal. */
  key: string;
  create: readonly string[];
  /** Changes an existing part into this one; without, it is removed and created again. */
  change?: readonly string[];
  remove: readonly string[];
  /** Key of the part that contains it: removed with that one. */
  of?: string;
  /** Also created with it, such as the route to the subnet of an address. */
  derived?: true;
  /** Of a chain, in order; their key is that of `rules`, and `create` is empty. */
  rules?: readonly ChainRule[];
}

/** Parts that are compared together: a part of the host, the elements in a line of nft, all parts of a container. */
export interface ItemGroup {
  key: string;
  /** Undefined: as they were recorded under this key. */
  items: readonly StateItem[] | undefined;
}

/** The group of a single part. */
export const groupOf = (item: StateItem): ItemGroup => ({ key: item.key, items: [item] });

/** Whether a part is the same in two states. Handles are not compared: they change when a rule is created again. */
export function isEqualItem(a: StateItem, b: StateItem): boolean {
  if (a.rules === undefined || b.rules === undefined) return JSON.stringify(a.create) === JSON.stringify(b.create);
  return a.rules.length === b.rules.length && a.rules.every(([text], index) => text === b.rules?.[index]?.[0]);
}
