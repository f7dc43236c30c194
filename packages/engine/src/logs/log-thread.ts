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
import { Allowance, shareFor } from './pace.ts';
import { PacedTurns } from './paced-turns.ts';
import { RequestActivity } from './request-activity.ts';
import type { ThreadData } from './thread.ts';
import { closeOnFailure } from './thread-files.ts';
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
  /** Takes the memory of a consumed chunk. */
  reuse: (memory: ArrayBuffer) => void;
  allowance: Allowance;
  /** It follows a log that grows faster than its allowance. */
  isFast: boolean;
  stopping: AbortController;
}

const readers = new Map<number, Reader>();
/** Of followers of fast writers. */
const turns = new PacedTurns();
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
  else if (command.type === 'next' && reader) {
    reader.credit += 1;
    if (command.memory) reader.reuse(command.memory);
  }
  reader?.wake();
}

function begin(id: number, options: LogReadOptions, live: SharedArrayBuffer | undefined): void {
  const reader: Reader = {
    id,
    credit: chunksInFlight,
    wake: () => undefined,
    reuse: () => undefined,
    allowance: new Allowance(performance.now()),
    isFast: false,
    stopping: new AbortController(),
  };
  const state = live && new CaptureState(live);
  const cursor = closeOnFailure(() => openCursor(options, state));
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

function openCursor({ path, follow, end, tail }: LogReadOptions, live: CaptureState | undefined): LogCursor {
  const cursor = new LogCursor(path, live, follow ? 'growing' : (end ?? 'present'));
  if (tail !== undefined) cursor.seekTail(tail);
  return cursor;
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
  reader.reuse = (memory) => writer.reuse(memory);
  const block = new LineBlock();
  while (!signal.aborted && !decoder.isOver) {
    const isPaced = options.follow && reader.isFast;
    // One block a turn, so that the others run in between.
    await (isPaced ? turns.next() : new Promise((resolve) => setImmediate(resolve)));
    if (signal.aborted) return;
    const ended = live === undefined || live.ended;
    const seen = live?.version ?? 0n;
    const work = new Work(reader, isPaced);
    const isFilled = block.fill(cursor);
    if (isFilled) await decodeBlock(reader, block, decoder, { writer, work });
    else writer.flush();
    work.end();
    if (isFilled) continue;
    await credit(reader);
    if (!options.follow || ended || signal.aborted) return;
    await live?.changed(seen, signal);
  }
  writer.flush();
}

async function decodeBlock(
  reader: Reader,
  block: LineBlock,
  decoder: LineDecoder,
  { writer, work }: { writer: ChunkWriter; work: Work },
): Promise<void> {
  for (let line = block.next(); line && !decoder.isOver; line = block.next()) {
    if (!writer.add(block.bytes, line.from, line.to)) continue;
    work.end();
    await credit(reader);
    work.resume();
  }
}

/** Measures what a reader works, without the time it waits for its client. */
class Work {
  readonly #reader: Reader;
  readonly #isPaced: boolean;
  #began = performance.now();

  constructor(reader: Reader, isPaced: boolean) {
    this.#reader = reader;
    this.#isPaced = isPaced;
  }

  resume(): void {
    this.#began = performance.now();
  }

  end(): void {
    const now = performance.now();
    const workedMs = now - this.#began;
    this.#reader.isFast = this.#reader.allowance.spend(workedMs, now, turns.waiting + 1);
    if (this.#isPaced) turns.spend(workedMs, shareFor(cpus, requests.sinceMs()));
  }
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

  next(): { from: number; to: number } | undefined {
    const to = this.bytes.indexOf(newline, this.#start); // may be in the unused rest
    if (to < 0 || to >= this.#end) return undefined;
    const from = this.#start;
    this.#start = to + 1;
    return { from, to };
  }
}
