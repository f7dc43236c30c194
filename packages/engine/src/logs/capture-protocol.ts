/** What the main thread and the thread that collects output say to each other. Types only. */
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
  /** How far the output is in the log; see position.ts. */
  position: string;
  /** Where daemons before the FIFOs have it. */
  formerPosition: string;
  /** Undefined with log driver none: the output goes to those attached, and nowhere else. */
  log: LogTarget | undefined;
}

/**
 * Of a run: `start` is its first byte, `logged` follows on what is in the log, `now` on what has been read so far;
 * `present` is where the reader says it is.
 */
export type ReaderPlace = 'start' | 'logged' | 'now' | 'present';

/** `key` is a run's, `reader` one attached client's. */
export type CaptureCommand =
  | { type: 'open'; key: number; files: CaptureFiles; state: SharedArrayBuffer }
  | { type: 'pump'; key: number }
  | { type: 'add-reader'; key: number; reader: number; place: ReaderPlace; offsets: SharedArrayBuffer }
  | { type: 'drop-reader'; key: number; reader: number }
  /** Logs what the container has written by now. */
  | { type: 'sync'; key: number }
  /** Reads to the end of the output: when the shim has closed it, or nothing has come for a while. */
  | { type: 'drain'; key: number }
  /** Logs the rest, also an unfinished line, and closes. */
  | { type: 'finish'; key: number }
  /** Closes and leaves all as it is. */
  | { type: 'abandon'; key: number };

export interface ReaderOpened {
  /** Descriptors of the spool files, which the reader closes. */
  files: { name: OutputStream; fd: number }[];
  /** The log that ends where `logged` begins. */
  log: { inode: bigint; size: number };
}

export interface CaptureReport {
  level: 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}
