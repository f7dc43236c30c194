/**
 * A container's live output for one attached client. Reads the spool files at the client's pace; a client that lags by
 * more than their bound blocks the container, as in Docker.
 */
import { readSync } from 'node:fs';
import type { OutputChunk } from '../contract.ts';
import type { Capture, LiveReader } from './capture.ts';
import type { OutputStream } from './capture-state.ts';

const chunkSize = 64 * 1024;

/** Ends with the run or on abort; closes the reader. */
export async function* readLive(
  capture: Capture,
  reader: LiveReader,
  requested: ReadonlySet<OutputStream>,
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
        const data = requested.has(name) ? readChunk(fd, reader.state.offset(name), size) : undefined;
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
