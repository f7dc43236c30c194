/** Writing streams of values to a client no faster than it takes them, and stopping when it is gone. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes one piece and waits while the client's buffer is full. False when the client has gone. */
export async function writePiece(sink: Writable, piece: Uint8Array | string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || sink.destroyed || sink.writableEnded) return false;
  if (sink.write(piece)) return true;
  try {
    await once(sink, 'drain', { signal });
    return true;
  } catch {
    // The only ways out of this wait are the client's going and an error of its connection, which end the same.
    return false;
  }
}

/** Writes each value as `encode` makes it; returns early when the client has gone. Errors of the source are thrown. */
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
