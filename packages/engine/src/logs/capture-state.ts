/**
 * State shared between the thread that collects a container's output and the threads that read it: numbers in shared
 * memory. Readers wait on `version` without a message to any thread.
 */

const fields = ['version', 'ended', 'stdout', 'stderr', 'logSize', 'logInode', 'held'] as const;
type Field = (typeof fields)[number];
const indexes = Object.fromEntries(fields.map((name, index) => [name, index])) as Record<Field, number>;

/** An aborted waiter stays registered for at most this long. */
const longestWaitMs = 10_000;

export type OutputStream = 'stdout' | 'stderr';

export class CaptureState {
  /** Passed to other threads. */
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(fields.length * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#numbers = new BigInt64Array(buffer);
  }

  /** Changes whenever there may be new output. */
  get version(): bigint {
    return this.#get('version');
  }

  /** No more output will arrive; existing output can still be read. */
  get ended(): boolean {
    return this.#get('ended') !== 0n;
  }

  /** Bytes of the stream that can be read from its spool file. */
  spooled(stream: OutputStream): number {
    return Number(this.#get(stream));
  }

  /** The current log file, and how much of it is complete. A rotation changes both. */
  get log(): { inode: bigint; size: number } {
    for (;;) {
      const inode = this.#get('logInode');
      const size = Number(this.#get('logSize'));
      if (inode === this.#get('logInode')) return { inode, size };
    }
  }

  /** The container is blocked, and only progress of a reader can unblock it. */
  get held(): boolean {
    return this.#get('held') !== 0n;
  }

  set held(value: boolean) {
    this.#set('held', value ? 1n : 0n);
  }

  setSpooled(stream: OutputStream, size: number): void {
    this.#set(stream, BigInt(size));
  }

  setLog({ inode, size }: { inode: bigint; size: number }): void {
    if (inode !== this.#get('logInode')) this.#set('logSize', 0n); // never the old file with the size of the new one
    this.#set('logInode', inode);
    this.#set('logSize', BigInt(size));
  }

  /** Wakes all waiters. */
  announce(): void {
    Atomics.add(this.#numbers, indexes.version, 1n);
    Atomics.notify(this.#numbers, indexes.version);
  }

  end(): void {
    this.#set('ended', 1n);
    this.announce();
  }

  /** Resolves when the version differs from `seen`, on abort, or after a timeout. */
  async changed(seen: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const waiting = Atomics.waitAsync(this.#numbers, indexes.version, seen, longestWaitMs);
    if (!waiting.async) return;
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([waiting.value, aborted.promise]);
    signal.removeEventListener('abort', abort);
  }

  #get(field: Field): bigint {
    return Atomics.load(this.#numbers, indexes[field]);
  }

  #set(field: Field, value: bigint): void {
    Atomics.store(this.#numbers, indexes[field], value);
  }
}

/** How far one attached client has read each stream. Written by the reading thread, read by the collecting one. */
export class ReaderState {
  readonly buffer: SharedArrayBuffer;
  readonly #offsets: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#offsets = new BigInt64Array(buffer);
  }

  offset(stream: OutputStream): number {
    return Number(Atomics.load(this.#offsets, stream === 'stdout' ? 0 : 1));
  }

  advance(stream: OutputStream, offset: number): void {
    Atomics.store(this.#offsets, stream === 'stdout' ? 0 : 1, BigInt(offset));
  }
}
