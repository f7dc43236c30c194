/** Work on many hosts at a time, with a limit: each costs a processor for a while. */

/**
 * Does the work on each item. After a failure, or when the signal is aborted, no more is begun; what was begun is
 * waited for, so that nothing goes on behind the caller's back. Then throws the first failure, or the signal's reason.
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
