/** The commands that lead from one state of the network to another. Pure; in time slices, because states are long. */
import { TimeSlice } from '@netyard/core';
import { type ChainRule, isEqualItem, type StateItem } from './item.ts';

/** Rules of a chain beyond which they are not aligned but replaced. */
const maximumAligned = 1000;

export async function diffStates(before: readonly StateItem[], after: readonly StateItem[]): Promise<string[]> {
  const slice = new TimeSlice();
  const [old, next] = [byKey(before), byKey(after)];
  await slice.next();
  const remade = new Set<string>();
  for (const item of before) {
    if (isRemade(item, next.get(item.key))) remade.add(item.key);
    if (slice.isOver) await slice.next();
  }
  const isGone = (key: string): boolean => old.has(key) && (!next.has(key) || remade.has(key));
  const isNew = (key: string): boolean => next.has(key) && (!old.has(key) || remade.has(key));
  const commands: string[] = [];
  for (const item of before.toReversed()) {
    if (isGone(item.key) && !isWithin(item, old, isGone)) commands.push(...removalOf(item));
    if (slice.isOver) await slice.next();
  }
  for (const item of after) {
    const isCreatedAlong = item.derived && item.of !== undefined && isNew(item.of);
    const former = isWithin(item, next, isNew) ? undefined : old.get(item.key);
    if (isCreatedAlong) continue;
    if (item.rules) commands.push(...(await diffRules(item.key, former?.rules ?? [], item.rules, slice)));
    else if (former === undefined || remade.has(item.key)) commands.push(...item.create);
    else if (isChanged(former, item)) commands.push(...(item.change ?? []));
    if (slice.isOver) await slice.next();
  }
  return commands;
}

const isRemade = (before: StateItem, after: StateItem | undefined): boolean =>
  after !== undefined && after.change === undefined && after.rules === undefined && !isEqualItem(before, after);

/**
 * Not a part of a container that would only be created in another way, as by another version of the daemon: the commands
 * that change it would have no effect.
 */
const isChanged = (before: StateItem, after: StateItem): boolean =>
  !isEqualItem(before, after) &&
  (after.of === undefined || JSON.stringify(before.change) !== JSON.stringify(after.change));

/** Whether what contains the part passes the test, directly or not. */
function isWithin(item: StateItem, states: ReadonlyMap<string, StateItem>, test: (key: string) => boolean): boolean {
  for (let of = item.of; of !== undefined; of = states.get(of)?.of) if (test(of)) return true;
  return false;
}

const removalOf = ({ key, remove, rules }: StateItem): readonly string[] =>
  rules ? rules.map((rule) => deleteRule(key, rule)) : remove;

const byKey = (items: readonly StateItem[]): Map<string, StateItem> => new Map(items.map((item) => [item.key, item]));

const chainOf = (key: string): string => key.slice('rules '.length);
const deleteRule = (key: string, [, handle]: ChainRule): string => `nft delete rule ${chainOf(key)} handle ${handle}`;
const quoteRule = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Deletes rules by the handles that they had, and inserts others before the next one that stays. */
async function diffRules(
  key: string,
  before: readonly ChainRule[],
  after: readonly ChainRule[],
  slice: TimeSlice,
): Promise<string[]> {
  const kept = await alignRules(before, after, slice);
  const deletions = before.filter((_rule, index) => !kept.has(index)).map((rule) => deleteRule(key, rule));
  const partnerOf = new Map([...kept].map(([oldIndex, newIndex]) => [newIndex, oldIndex]));
  const additions: string[] = [];
  let next: ChainRule | undefined;
  for (let index = after.length - 1; index >= 0; index -= 1) {
    const [text = ''] = after[index] ?? [];
    const partner = partnerOf.get(index);
    if (partner !== undefined) next = before[partner];
    else if (next === undefined) additions.unshift(`nft add rule ${chainOf(key)} ${quoteRule(text)}`);
    else additions.unshift(`nft insert rule ${chainOf(key)} position ${next[1]} ${quoteRule(text)}`);
  }
  return [...deletions, ...additions];
}

/** Pairs of indexes of rules that stay: a longest common subsequence. */
async function alignRules(
  before: readonly ChainRule[],
  after: readonly ChainRule[],
  slice: TimeSlice,
): Promise<Map<number, number>> {
  const text = (rules: readonly ChainRule[], index: number): string | undefined => rules[index]?.[0];
  const kept = new Map<number, number>();
  let start = 0;
  while (start < before.length && text(before, start) === text(after, start)) kept.set(start, start++);
  let end = 0;
  const shorter = Math.min(before.length, after.length) - start;
  while (end < shorter && text(before, before.length - 1 - end) === text(after, after.length - 1 - end)) {
    kept.set(before.length - 1 - end, after.length - 1 - end);
    end += 1;
  }
  const [rows, columns] = [before.length - start - end, after.length - start - end];
  if (rows === 0 || columns === 0 || rows > maximumAligned || columns > maximumAligned) return kept;
  const lengths = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  const isSame = (row: number, column: number): boolean => text(before, start + row) === text(after, start + column);
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const best = isSame(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
      lengths[row]?.fill(best, column, column + 1);
    }
    if (slice.isOver) await slice.next();
  }
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (isSame(row, column)) kept.set(start + row++, start + column++);
    else if (at(row + 1, column) >= at(row, column + 1)) row += 1;
    else column += 1;
  }
  return kept;
}
