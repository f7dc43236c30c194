/** The commands that lead from one state of the network to another. Pure. */
import { type ChainRule, isEqualItem, type StateItem } from './item.ts';

/** Rules of a chain beyond which they are not aligned but replaced. */
const maximumAligned = 1000;

export function diffStates(before: readonly StateItem[], after: readonly StateItem[]): string[] {
  const [old, next] = [byKey(before), byKey(after)];
  const isRemade = (key: string): boolean => {
    const [a, b] = [old.get(key), next.get(key)];
    return a !== undefined && b !== undefined && b.change === undefined && !isEqualItem(a, b) && b.rules === undefined;
  };
  const isGone = (key: string): boolean => old.has(key) && (!next.has(key) || isRemade(key));
  const isNew = (key: string): boolean => next.has(key) && (!old.has(key) || isRemade(key));
  /** Directly or not. */
  const isWithin = (
    item: StateItem,
    states: ReadonlyMap<string, StateItem>,
    test: (key: string) => boolean,
  ): boolean => {
    for (let of = item.of; of !== undefined; of = states.get(of)?.of) if (test(of)) return true;
    return false;
  };
  const removals = before
    .toReversed()
    .filter(({ key }) => isGone(key))
    .filter((item) => !isWithin(item, old, isGone))
    .flatMap(({ key, remove, rules }) => (rules ? rules.map((rule) => deleteRule(key, rule)) : remove));
  const creations = after.flatMap((item) => {
    const former = isWithin(item, next, isNew) ? undefined : old.get(item.key);
    if (item.derived && item.of !== undefined && isNew(item.of)) return [];
    if (item.rules) return diffRules(item.key, former?.rules ?? [], item.rules);
    if (former === undefined || isRemade(item.key)) return item.create;
    return isEqualItem(former, item) ? [] : (item.change ?? []);
  });
  return [...removals, ...creations];
}

const byKey = (items: readonly StateItem[]): Map<string, StateItem> => new Map(items.map((item) => [item.key, item]));

const chainOf = (key: string): string => key.slice('rules '.length);
const deleteRule = (key: string, [, handle]: ChainRule): string => `nft delete rule ${chainOf(key)} handle ${handle}`;
const quoteRule = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Deletes rules by the handles that they had, and inserts others before the next one that stays. */
function diffRules(key: string, before: readonly ChainRule[], after: readonly ChainRule[]): string[] {
  const kept = alignRules(before, after);
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
function alignRules(before: readonly ChainRule[], after: readonly ChainRule[]): Map<number, number> {
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
  for (let row = rows - 1; row >= 0; row -= 1)
    for (let column = columns - 1; column >= 0; column -= 1) {
      const best = isSame(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
      lengths[row]?.fill(best, column, column + 1);
    }
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (isSame(row, column)) kept.set(start + row++, start + column++);
    else if (at(row + 1, column) >= at(row, column + 1)) row += 1;
    else column += 1;
  }
  return kept;
}
