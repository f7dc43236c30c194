/** Messages between the main thread and the thread that reads logs. Types only. */
import type { OutputStream } from './capture-state.ts';
import type { DecodeOptions } from './decode-lines.ts';
import type { LogPosition } from './log-cursor.ts';
import type { ThreadError } from './thread.ts';

export interface LogReadOptions extends DecodeOptions {
  path: string;
  /** Last lines; undefined: all. */
  tail: number | undefined;
  follow: boolean;
  /** Where to end; undefined: at the end of the content that exists at the start. Not with `follow`. */
  end: LogPosition | undefined;
}

/** Bytes of the memory of a chunk that is sent without copying. */
export const chunkSize = 64 * 1024;

/** Unacknowledged chunks allowed per reader. */
export const chunksInFlight = 4;

export type LogCommand =
  | { type: 'read'; reader: number; options: LogReadOptions; live: SharedArrayBuffer | undefined }
  /** One chunk was consumed: another one may be sent. `memory` is the chunk's, unless it is too small to be used again. */
  | { type: 'next'; reader: number; memory: ArrayBuffer | undefined }
  | { type: 'stop'; reader: number };

export interface LogReport {
  reader: number;
  /** Whole entries, all of this stream unless they are framed. */
  chunk?: { stream: OutputStream; data: Uint8Array };
  /** The last report: with an error unless the end of the log was reached. */
  end?: { error: ThreadError | undefined };
}
