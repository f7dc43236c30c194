/** Takes what a socket has received. Pure. */

/**
 * Calls `next` until it returns undefined, or `most` items are there: who is traced can send faster than this process
 * reads, so that a socket is never empty.
 */
export function takeUpTo<T>(most: number, next: () => T | undefined): T[] {
  const items: T[] = [];
  while (items.length < most) {
    const item = next();
    if (item === undefined) break;
    items.push(item);
  }
  return items;
}
