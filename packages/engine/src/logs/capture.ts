/** The main thread's handle on one run's output, which another thread collects (capture-thread.ts). */
import { closeSync } from 'node:fs';
import type { CaptureCommand, CaptureFiles, CaptureReport, ReaderOpened, ReaderPosition } from './capture-protocol.ts';
import { CaptureState, ReaderState } from './capture-state.ts';
import type { Thread } from './thread.ts';

/** The thread may be failing because of this output: a container's end must not wait forever. */
const mostAttempts = 5;

export type CaptureThread = Thread<CaptureCommand, CaptureReport>;

/** One attached client's position in the output. */
export interface LiveReader {
  readonly state: ReaderState;
  /** Undefined when the run ended before. */
  readonly opened: Promise<ReaderOpened | undefined>;
  /** Call this when it stops reading; until then a slow reader blocks the container. */
  close(): void;
}

export class Capture {
  readonly files: CaptureFiles;
  readonly state = new CaptureState();
  readonly #key: number;
  readonly #thread: CaptureThread;
  readonly #readers = new Map<number, ReaderState>();
  #nextReader = 0;
  readonly #followers = new Set<object>();
  /** Set when the thread has failed. */
  #reopened: Promise<void> | undefined;

  constructor(key: number, files: CaptureFiles, thread: CaptureThread) {
    this.#key = key;
    this.files = files;
    this.#thread = thread;
  }

  /** Resolves when its files are open. */
  async open(): Promise<void> {
    const before = this.#reopened;
    await this.#open().catch((error: unknown) => {
      if (this.#reopened === before) throw error;
      return this.#reopened;
    });
  }

  #open(): Promise<void> {
    return this.#thread.call({ type: 'open', key: this.#key, files: this.files, state: this.state.buffer });
  }

  /** No more output will arrive; existing output can still be read. */
  get ended(): boolean {
    return this.state.ended;
  }

  /** A client reads the output. */
  get isWatched(): boolean {
    return this.#readers.size > 0 || this.#followers.size > 0;
  }

  /** Counts a client that follows the log, until the signal or a call of the returned function. */
  follow(signal: AbortSignal): () => void {
    const follower = {};
    this.#followers.add(follower);
    const end = (): void => void this.#followers.delete(follower);
    signal.addEventListener('abort', end, { once: true });
    return end;
  }

  /** Queued in order with the other commands to the thread: misses no output from now on. */
  openReader(position: ReaderPosition): LiveReader {
    this.#nextReader += 1;
    const reader = this.#nextReader;
    const state = new ReaderState();
    this.#readers.set(reader, state);
    const command = { type: 'add-reader', key: this.#key, reader, position, offsets: state.buffer } as const;
    const opened = this.#thread.call<ReaderOpened | undefined>(command).then(
      (answer) => {
        for (const { fd } of answer?.files ?? []) this.#thread.takeOver(fd);
        return answer;
      },
      () => undefined, // the failure is logged
    );
    return { state, opened, close: () => void this.#closeReader(reader, opened) };
  }

  /** After a failure of the thread: like `open`, with the readers at their positions. */
  async reopen(): Promise<void> {
    const opened = this.#open();
    this.#reopened = opened;
    for (const [reader, state] of this.#readers)
      this.#thread.post({ type: 'add-reader', key: this.#key, reader, position: 'present', offsets: state.buffer });
    await opened;
  }

  /** A reader has made progress: unblocks the container if it is blocked. */
  advanced(): void {
    if (this.state.held) this.#thread.post({ type: 'pump', key: this.#key });
  }

  /** Resolves when everything written so far is in the log. */
  sync(): Promise<void> {
    return this.#ask({ type: 'sync', key: this.#key });
  }

  drain(): Promise<void> {
    return this.#ask({ type: 'drain', key: this.#key });
  }

  finish(): Promise<void> {
    return this.#ask({ type: 'finish', key: this.#key });
  }

  abandon(): Promise<void> {
    return this.#thread.call({ type: 'abandon', key: this.#key });
  }

  /** Repeats the command when the thread fails meanwhile: it has been restarted by then, and no output must be lost. */
  async #ask(command: CaptureCommand): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const before = this.#reopened;
      try {
        return await this.#thread.call<void>(command);
      } catch (error) {
        if (this.#reopened === before || attempt === mostAttempts) throw error;
      }
    }
  }

  async #closeReader(reader: number, opened: LiveReader['opened']): Promise<void> {
    if (!this.#readers.delete(reader)) return;
    this.#thread.post({ type: 'drop-reader', key: this.#key, reader });
    for (const { fd } of (await opened)?.files ?? []) closeSync(fd);
  }
}
