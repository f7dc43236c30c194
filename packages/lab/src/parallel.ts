/** Runs work on many hosts concurrently, with a limit, because each keeps a CPU busy for a while. */

/**
 * Runs the work on each item. After a failure or an abort, starts no more items and waits for those in progress; then
 * throws the first failure or the signal's reason.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length === 0 && !signal?.aborted) {
      const [item] = waiting.splice(0, 1);
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  signal?.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}
