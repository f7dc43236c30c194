/** Writes streams of values to a client with back-pressure, until the client disconnects. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes one piece and waits while the buffer is full. False when the client has disconnected. */
export async function writePiece(sink: Writable, piece: Uint8Array | string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || sink.destroyed || sink.writableEnded) return false;
  if (sink.write(piece)) return true;
  try {
    await once(sink, 'drain', { signal });
    return true;
  } catch {
    // Either the client has disconnected or its connection has failed: same result.
    return false;
  }
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
