/**
 * A container's output as it comes, for one who is attached. Reads the spool files at its own pace; one that is more
 * than their bound behind holds the container back, as in Docker.
 */
import { readSync } from 'node:fs';
import type { OutputChunk } from '../contract.ts';
import type { Capture, LiveReader } from './capture.ts';
import type { OutputStream } from './capture-state.ts';

const chunkSize = 64 * 1024;

/** Ends with the run, or with the signal. The reader is closed at the end. */
export async function* readLive(
  capture: Capture,
  reader: LiveReader,
  wanted: ReadonlySet<OutputStream>,
  signal: AbortSignal,
): AsyncGenerator<OutputChunk> {
  try {
    const { files } = (await reader.opened) ?? { files: [] };
    while (files.length > 0 && !signal.aborted) {
      const { ended } = capture;
      const { version } = capture.state;
      let found = false;
      for (const { name, fd } of files) {
        const size = capture.state.spooled(name) - reader.state.offset(name);
        if (size <= 0) continue;
        found = true;
        const data = wanted.has(name) ? readChunk(fd, reader.state.offset(name), size) : undefined;
        reader.state.advance(name, reader.state.offset(name) + (data?.length ?? size));
        capture.advanced();
        if (data) yield { stream: name, data };
        if (signal.aborted) return;
      }
      if (found) continue;
      if (ended) return;
      await capture.state.changed(version, signal);
    }
  } finally {
    reader.close();
  }
}

/** Synchronous: these pages are in memory. */
function readChunk(fd: number, offset: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(Math.min(size, chunkSize));
  const count = readSync(fd, buffer, 0, buffer.length, offset);
  return buffer.subarray(0, count);
}
