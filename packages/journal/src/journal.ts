/**
 * The journal: entries are collected in memory and written in batches, away from the operations that cause them. What
 * cannot be written is retried with the next batch; a full disk costs entries and one line in the log, nothing else.
 */
import { type Clock, type Logger, messageOf, TimeSlice } from '@netyard/core';
import { encodeEntry, isSelected, type JournalEntry, type JournalQuery, maximumLine, parseEntry } from './entry.ts';
import { Segments } from './segments.ts';

export interface JournalOptions {
  folder: string;
  /** Bytes on disk. */
  maximumBytes: number;
  /** Seconds. */
  maximumAge: number;
  clock: Clock;
  logger: Logger;
}

const flushMilliseconds = 250;
const retryMilliseconds = 5000;
/** Bytes in memory while the disk is full or slow; the oldest entries are dropped. */
const maximumPending = 4 * 1024 * 1024;
/** Entries that wait for their encoding, which takes longer than all else of an entry; operations do not wait for it. */
const maximumUnencoded = 256;
/** Bytes of one write. */
const maximumBatch = 65_536;

interface PendingLine {
  line: string;
  bytes: number;
  time: bigint;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #segments: Segments;
  #unencoded: JournalEntry[] = [];
  #pending: PendingLine[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;

  /** Throws if the folder cannot be used. */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#segments = new Segments(options.folder, {
      maximumBytes: options.maximumBytes,
      maximumAge: BigInt(options.maximumAge) * 1_000_000_000n,
    });
  }

  /** Adds an entry with the present time; on disk a quarter of a second later. Never throws. */
  note(entry: Omit<JournalEntry, 'time'>): void {
    this.#unencoded.push({ ...entry, time: this.#options.clock.now() });
    if (this.#unencoded.length >= maximumUnencoded) this.#encode();
    this.#timer ??= setTimeout(() => void this.flush(), flushMilliseconds).unref();
  }

  #encode(): void {
    for (const entry of this.#unencoded.splice(0)) {
      const line = encodeEntry(entry);
      const bytes = Buffer.byteLength(line);
      this.#pending.push({ line, bytes, time: entry.time });
      this.#pendingBytes += bytes;
      // An eighth at once: dropping from an array costs as much as its length.
      if (this.#pendingBytes > maximumPending) this.#drop(Math.ceil(this.#pending.length / 8));
    }
  }

  #drop(count: number): void {
    for (const { bytes } of this.#pending.splice(0, count)) this.#pendingBytes -= bytes;
  }

  /** Writes what is in memory. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    try {
      this.#encode();
      while (this.#pending.length > 0) await this.#writeBatch();
      this.#hasFailed = false;
    } catch (error) {
      const { logger, folder } = this.#options;
      if (!this.#hasFailed) logger.warn('the journal cannot be written', { folder, error: messageOf(error) });
      this.#hasFailed = true;
      this.#timer ??= setTimeout(() => void this.flush(), retryMilliseconds).unref();
    }
  }

  async #writeBatch(): Promise<void> {
    const batch: PendingLine[] = [];
    let size = 0;
    for (const pending of this.#pending) {
      if (batch.length > 0 && size + pending.bytes > maximumBatch) break;
      batch.push(pending);
      size += pending.bytes;
    }
    this.#drop(batch.length);
    try {
      await this.#segments.append(batch.map(({ line }) => line).join(''), batch.at(-1)?.time ?? 0n);
    } catch (error) {
      this.#pending.unshift(...batch);
      this.#pendingBytes += size;
      throw error;
    }
  }

  /** The selected entries in the order of their lines, oldest first. Damaged lines and those too old are left out. */
  async *read(query: JournalQuery): AsyncGenerator<JournalEntry> {
    await this.flush();
    const oldest = this.#options.clock.now() - BigInt(this.#options.maximumAge) * 1_000_000_000n;
    const isRead = (entry: JournalEntry | undefined): entry is JournalEntry =>
      entry !== undefined && entry.time >= oldest && isSelected(entry, query);
    const slice = new TimeSlice();
    for await (const content of this.#segments.read()) {
      for (const line of linesOf(content)) {
        const entry = parseEntry(line);
        if (isRead(entry)) yield entry;
        if (slice.isOver) await slice.next();
      }
    }
    // Present only while the disk is full.
    for (const { line } of [...this.#pending]) {
      const entry = parseEntry(line.trimEnd());
      if (isRead(entry)) yield entry;
    }
  }

  /** Writes what is in memory. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }
}

/** Lines of a file, one at a time; those that are too long to be an entry's are left out. */
function* linesOf(content: Buffer): Generator<string> {
  let start = 0;
  while (start < content.length) {
    const found = content.indexOf(0x0a, start);
    const end = found === -1 ? content.length : found;
    if (end - start <= maximumLine) yield content.toString('utf8', start, end);
    start = end + 1;
  }
}
