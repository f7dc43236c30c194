/** Writes streams of values to a client with back-pressure, until the client disconnects. */
import type { Writable } from 'node:stream';

/**
 * Writes one piece and waits until the kernel has it, so that its memory may be used again. False when the client has
 * disconnected.
 */
export async function writePiece(sink: Writable, piece: Uint8Array | string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || sink.destroyed || sink.writableEnded) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const stop = (): void => resolve(false);
  signal.addEventListener('abort', stop, { once: true });
  sink.write(piece, (error) => resolve(!error));
  const isWritten = await promise;
  signal.removeEventListener('abort', stop);
  return isWritten;
}

/** Writes each encoded value; returns early when the client has disconnected. Throws errors of the source. */
export async function pump<T>(
  source: AsyncIterable<T>,
  sink: Writable,
  encode: (value: T) => Uint8Array | string,
  signal: AbortSignal,
): Promise<void> {
  for await (const value of source) {
    if (!(await writePiece(sink, encode(value), signal))) return;
  }
}
