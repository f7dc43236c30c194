/** The main thread's side of one run's output: it is collected in another thread (capture-thread.ts). */
import { closeSync } from 'node:fs';
import type { CaptureCommand, CaptureFiles, CaptureReport, ReaderOpened, ReaderPlace } from './capture-protocol.ts';
import { CaptureState, ReaderState } from './capture-state.ts';
import type { Thread } from './thread.ts';

export type CaptureThread = Thread<CaptureCommand, CaptureReport>;

/** One attached client's place in the output. */
export interface LiveReader {
  readonly state: ReaderState;
  /** Undefined when the run ended before. */
  readonly opened: Promise<ReaderOpened | undefined>;
  /** To be called once it will not read any more; until then a slow one holds the container back. */
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
  /** Since the thread failed. */
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

  /** No more output will come; what is there can still be read. */
  get ended(): boolean {
    return this.state.ended;
  }

  /** Somebody reads. */
  get isWatched(): boolean {
    return this.#readers.size > 0 || this.#followers.size > 0;
  }

  /** Counts one who follows the log, until the signal or until what it returns is called. */
  follow(signal: AbortSignal): () => void {
    const follower = {};
    this.#followers.add(follower);
    const end = (): void => void this.#followers.delete(follower);
    signal.addEventListener('abort', end, { once: true });
    return end;
  }

  /** Takes its place in order with what else is asked of the thread: nothing is missed from now on. */
  openReader(place: ReaderPlace): LiveReader {
    this.#nextReader += 1;
    const reader = this.#nextReader;
    const state = new ReaderState();
    this.#readers.set(reader, state);
    const command = { type: 'add-reader', key: this.#key, reader, place, offsets: state.buffer } as const;
    const opened = this.#thread.call<ReaderOpened | undefined>(command).catch(() => undefined); // it failed: is logged
    return { state, opened, close: () => void this.#closeReader(reader, opened) };
  }

  /** After a failure of the thread: as `open`, with the readers where they are. */
  async reopen(): Promise<void> {
    const opened = this.#open();
    this.#reopened = opened;
    for (const [reader, state] of this.#readers)
      this.#thread.post({ type: 'add-reader', key: this.#key, reader, place: 'present', offsets: state.buffer });
    await opened;
  }

  /** A reader has gone on: the container, if it is held back, may do so as well. */
  advanced(): void {
    if (this.state.held) this.#thread.post({ type: 'pump', key: this.#key });
  }

  /** What the container has written by now is in the log afterwards. */
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

  /** Asks once more when the thread fails meanwhile: it has been started again by then, and no output must be lost. */
  #ask(command: CaptureCommand): Promise<void> {
    const before = this.#reopened;
    return this.#thread.call<void>(command).catch((error: unknown) => {
      if (this.#reopened === before) throw error;
      return this.#thread.call(command);
    });
  }

  async #closeReader(reader: number, opened: LiveReader['opened']): Promise<void> {
    if (!this.#readers.delete(reader)) return;
    this.#thread.post({ type: 'drop-reader', key: this.#key, reader });
    for (const { fd } of (await opened)?.files ?? []) closeSync(fd);
  }
}
