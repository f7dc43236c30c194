/**
 * A container's output as it comes, for one who is attached. Reads the output files at its own pace: a slow one stalls
 * neither the log nor the others; one that falls 256 MiB behind is cut off.
 */
import type { OutputChunk } from '../contract.ts';
import type { Capture, CapturedStream, OutputStream } from './capture.ts';
import type { SourceReader } from './source-file.ts';

const chunkSize = 64 * 1024;

export interface LiveReader {
  stream: CapturedStream;
  reader: SourceReader;
}

/**
 * Takes its places at once, so that nothing is missed until it is read.
 * @param from `start`: of this run; `logged`: right after what is in the log; `now`: what comes from now on
 */
export function openLive(
  capture: Capture,
  wanted: ReadonlySet<OutputStream>,
  from: 'start' | 'logged' | 'now',
): LiveReader[] {
  return capture.streams
    .filter((stream) => wanted.has(stream.name))
    .map((stream) => {
      const offset = { start: 0, logged: stream.logged, now: undefined }[from];
      return { stream, reader: stream.file.reader(offset) };
    });
}

export function closeLive(readers: readonly LiveReader[]): void {
  for (const { stream, reader } of readers) stream.file.drop(reader);
}

/** Ends with the run, with the signal, or when it was cut off. */
export async function* readLive(
  capture: Capture,
  readers: readonly LiveReader[],
  signal: AbortSignal,
): AsyncGenerator<OutputChunk> {
  try {
    for (;;) {
      const { ended, version } = capture;
      let found = false;
      for (const { stream, reader } of readers) {
        if (signal.aborted || !stream.file.isReading(reader)) return;
        const buffer = Buffer.allocUnsafe(chunkSize);
        const count = stream.file.read(reader, buffer);
        if (count === 0) continue;
        found = true;
        yield { stream: stream.name, data: buffer.subarray(0, count) };
      }
      if (found) continue;
      if (ended || signal.aborted) return;
      if (version === capture.version) await capture.changed(signal);
    }
  } finally {
    closeLive(readers);
  }
}
