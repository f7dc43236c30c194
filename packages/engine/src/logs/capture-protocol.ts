/** Messages between the main thread and the thread that collects output. Types only. */
import type { OutputStream } from './capture-state.ts';
import type { LogRotation } from './log-options.ts';
import type { StreamFiles } from './spooled-stream.ts';

export interface LogTarget {
  path: string;
  rotation: LogRotation;
  /** JSON text; see LineEncoder. */
  attributes: string;
}

export interface CaptureFiles {
  streams: readonly StreamFiles[];
  /** The position up to which output is in the log; see position.ts. */
  position: string;
  /** Position file of daemons before the FIFOs. */
  formerPosition: string;
  /** Undefined with log driver none: the output is sent to attached clients only. */
  log: LogTarget | undefined;
}

/**
 * A position in a run's output: `start` is its first byte, `logged` follows the last logged byte, `now` the last byte
 * read so far; `present` is the reader's own position.
 */
export type ReaderPosition = 'start' | 'logged' | 'now' | 'present';

/** `key` identifies a run, `reader` one attached client. */
export type CaptureCommand =
  | { type: 'open'; key: number; files: CaptureFiles; state: SharedArrayBuffer }
  | { type: 'pump'; key: number }
  | { type: 'add-reader'; key: number; reader: number; position: ReaderPosition; offsets: SharedArrayBuffer }
  | { type: 'drop-reader'; key: number; reader: number }
  /** Logs everything written so far. */
  | { type: 'sync'; key: number }
  /** Reads to the end of the output: until the shim closes it, or no output has arrived for a while. */
  | { type: 'drain'; key: number }
  /** Logs the rest, including an unfinished line, and closes. */
  | { type: 'finish'; key: number }
  /** Closes and leaves all files as they are. */
  | { type: 'abandon'; key: number };

export interface ReaderOpened {
  /** Descriptors of the spool files; the reader closes them. */
  files: { name: OutputStream; fd: number }[];
  /** The log that ends where `logged` begins. */
  log: { inode: bigint; size: number };
}

export interface CaptureReport {
  level: 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}
