/** Merges several readable streams into one sequence of chunks, each read at the pace of the consumer. */
import type { Readable } from 'node:stream';
import type { OutputChunk } from '../contract.ts';

type Source = { stream: OutputChunk['stream']; readable: Readable };

/**
 * Ends when all streams have ended. An error ends only the stream it occurs on: for a FIFO it means nothing but its
 * end.
 */
export async function* mergeOutput(sources: readonly Source[]): AsyncGenerator<OutputChunk> {
  const pending = new Map<Source, Promise<{ source: Source; chunk: Buffer | undefined }>>();
  const iterators = new Map(sources.map((source) => [source, source.readable[Symbol.asyncIterator]()]));
  const advance = (source: Source): void => {
    const next = iterators.get(source)?.next() ?? Promise.resolve({ done: true, value: undefined });
    const read = next.then(
      ({ done, value }) => ({ source, chunk: done ? undefined : (value as Buffer) }),
      () => ({ source, chunk: undefined }),
    );
    pending.set(source, read);
  };
  for (const source of sources) advance(source);
  try {
    while (pending.size > 0) {
      const { source, chunk } = await Promise.race(pending.values());
      if (chunk === undefined) {
        pending.delete(source);
        continue;
      }
      advance(source);
      yield { stream: source.stream, data: chunk };
    }
  } finally {
    for (const { readable } of sources) readable.destroy();
  }
}
