/** What the main thread and the thread that reads logs say to each other. Types only. */
import type { OutputStream } from './capture-state.ts';
import type { DecodeOptions } from './decode-lines.ts';
import type { LogPlace } from './log-cursor.ts';

export interface LogReadOptions extends DecodeOptions {
  path: string;
  /** Last lines; undefined: all. */
  tail: number | undefined;
  follow: boolean;
  /** Where to end; undefined: at what is there at the beginning. Not with `follow`. */
  end: LogPlace | undefined;
}

/** Chunks that may be on their way to one reader. */
export const chunksInFlight = 4;

export type LogCommand =
  | { type: 'read'; reader: number; options: LogReadOptions; live: SharedArrayBuffer | undefined }
  /** One chunk was taken: another one may come. */
  | { type: 'next'; reader: number }
  | { type: 'stop'; reader: number };

export interface LogReport {
  reader: number;
  /** Whole entries, all of this stream unless they are framed. */
  chunk?: { stream: OutputStream; data: Uint8Array };
  /** The last report: with an error when it is not the end of the log. */
  end?: { error: string | undefined };
}
