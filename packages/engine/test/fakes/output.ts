/** For tests of output: options of logs and attach, and the log's text. */
import type { AttachOptions, LogOptions } from '../../src/index.ts';
import { type Harness, unframed } from './harness.ts';

/** Never aborts. */
export const { signal } = new AbortController();
/** Of `logs`: both streams, from the start, without following. */
export const everything: LogOptions = {
  stdout: true,
  stderr: true,
  follow: false,
  since: undefined,
  until: undefined,
  tail: undefined,
  timestamps: false,
  details: false,
  signal,
};

/** An attached client that receives live output only. */
export const liveOutput: AttachOptions = {
  stdin: false,
  stdout: true,
  stderr: true,
  logs: false,
  stream: true,
  detachKeys: undefined,
  signal,
};

/** Lines with these numbers, `to` excluded. */
export const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join('');

export const readLog = async (harness: Harness, id: string, change: Partial<LogOptions> = {}): Promise<string> =>
  unframed((await harness.engine.containers.logs(id, { ...everything, ...change })).output);
