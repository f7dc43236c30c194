/**
 * The thread that reads logs for clients: decodes and frames entries, and sends chunks no faster than they are
 * consumed.
 */
import { availableParallelism, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { CaptureState, type OutputStream } from './capture-state.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { LineDecoder } from './decode-lines.ts';
import { LogCursor } from './log-cursor.ts';
import { chunksInFlight, type LogCommand, type LogReadOptions, type LogReport } from './log-protocol.ts';
import { Pacer, shareFor } from './pace.ts';
import { RequestActivity } from './request-activity.ts';
import type { ThreadData } from './thread.ts';
import { serveThread, threadError } from './thread-port.ts';

/** Lower priority than the main thread, which answers requests, and than the collecting thread. */
const niceness = 10;
const blockSize = 128 * 1024;
const newline = 10;

interface Reader {
  id: number;
  /** Chunks that may be sent. */
  credit: number;
  wake: () => void;
  stopping: AbortController;
}

const readers = new Map<number, Reader>();
/** For followers of fast writers. */
const pacer = new Pacer();
const requests = new RequestActivity((workerData as ThreadData).requests);
const cpus = availableParallelism();
const port = serveThread<LogCommand, LogReport>(parentPort, handle);

try {
  setPriority(niceness); // of this thread: 0 means the caller in setpriority(2)
} catch {
  // not permitted: all threads have equal priority
}

function handle(command: LogCommand): void {
  if (command.type === 'read') begin(command.reader, command.options, command.live);
  const reader = readers.get(command.reader);
  if (command.type === 'stop') reader?.stopping.abort();
  else if (command.type === 'next' && reader) reader.credit += 1;
  reader?.wake();
}

function begin(id: number, options: LogReadOptions, live: SharedArrayBuffer | undefined): void {
  const reader: Reader = { id, credit: chunksInFlight, wake: () => undefined, stopping: new AbortController() };
  const state = live && new CaptureState(live);
  const cursor = new LogCursor(options.path, state, options.follow ? 'growing' : (options.end ?? 'present'));
  if (options.tail !== undefined) cursor.seekTail(options.tail);
  readers.set(id, reader);
  passOn(reader, cursor, options, state)
    .then(
      () => port.report({ reader: id, end: { error: undefined } }),
      (error: unknown) => port.report({ reader: id, end: { error: threadError(error) } }),
    )
    .finally(() => {
      readers.delete(id);
      cursor.close();
    });
}

async function passOn(
  reader: Reader,
  cursor: LogCursor,
  options: LogReadOptions,
  live: CaptureState | undefined,
): Promise<void> {
  const { signal } = reader.stopping;
  const decoder = new LineDecoder(options);
  const writer = new ChunkWriter(decoder, options.framed, (stream, data) => send(reader, stream, data));
  const block = new LineBlock();
  while (!signal.aborted && !decoder.isOver) {
    const ended = live === undefined || live.ended;
    const seen = live?.version ?? 0n;
    if (block.fill(cursor)) {
      const workedMs = await decodeBlock(reader, block, decoder, writer);
      await new Promise((resolve) => setImmediate(resolve)); // other readers run between blocks
      if (options.follow && block.isFull) await paced(workedMs, signal);
      continue;
    }
    writer.flush();
    await credit(reader);
    if (!options.follow || ended || signal.aborted) return;
    await live?.changed(seen, signal);
  }
  writer.flush();
}

/** Returns how long it worked, without the time it waited for the client. */
async function decodeBlock(
  reader: Reader,
  block: LineBlock,
  decoder: LineDecoder,
  writer: ChunkWriter,
): Promise<number> {
  let workedMs = 0;
  let began = performance.now();
  for (let line = block.next(); line && !decoder.isOver; line = block.next()) {
    if (!writer.add(block.bytes, line.from, line.to)) continue;
    workedMs += performance.now() - began;
    await credit(reader);
    began = performance.now();
  }
  return workedMs + performance.now() - began;
}

/** Delays a follower of a fast writer. */
async function paced(workedMs: number, signal: AbortSignal): Promise<void> {
  pacer.spend(workedMs, performance.now(), shareFor(cpus, requests.sinceMs()));
  for (let wait = pacer.waitMs(performance.now()); wait > 0 && !signal.aborted; wait = pacer.waitMs(performance.now()))
    await new Promise((resolve) => setTimeout(resolve, wait));
}

function send({ id }: Reader, stream: OutputStream, data: Uint8Array): void {
  const reader = readers.get(id);
  if (reader) reader.credit -= 1;
  port.report({ reader: id, chunk: { stream, data } }, [data.buffer as ArrayBuffer]);
}

/** Waits until the client has consumed a chunk. */
async function credit(reader: Reader): Promise<void> {
  while (reader.credit <= 0 && !reader.stopping.signal.aborted)
    await new Promise<void>((resolve) => {
      reader.wake = resolve;
    });
}

/** Bytes read but not yet decoded, line by line. An unfinished line waits for its rest. */
class LineBlock {
  bytes = Buffer.allocUnsafe(blockSize);
  #start = 0;
  #end = 0;

  fill(cursor: LogCursor): boolean {
    this.bytes.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    if (this.#end === this.bytes.length) this.bytes = Buffer.concat([this.bytes], 2 * this.bytes.length);
    const count = cursor.read(this.bytes, this.#end);
    this.#end += count;
    return count > 0;
  }

  /** There may be more to read. */
  get isFull(): boolean {
    return this.#end === this.bytes.length;
  }

  next(): { from: number; to: number } | undefined {
    const to = this.bytes.subarray(0, this.#end).indexOf(newline, this.#start);
    if (to < 0) return undefined;
    const from = this.#start;
    this.#start = to + 1;
    return { from, to };
  }
}
