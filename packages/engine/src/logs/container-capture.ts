/** Moves one run's output from the FIFOs into the log. Runs in the collecting thread; never blocks. */
import { type Clock, messageOf } from '@netyard/core';
import type { CaptureFiles, CaptureReport, LogTarget, ReaderOpened, ReaderPosition } from './capture-protocol.ts';
import { CaptureState, type OutputStream, ReaderState } from './capture-state.ts';
import { LineEncoder } from './encode-lines.ts';
import { formatLogTime } from './json-file.ts';
import type { LogCompressor } from './log-compressor.ts';
import { LogFile } from './log-file.ts';
import { type OutputPosition, PositionFile, readPosition } from './position.ts';
import { SpooledStream, spoolBound } from './spooled-stream.ts';

/** Limits of one time slice, per stream. */
export interface SliceLimits {
  /** Bytes of output. */
  output: number;
  /** Bytes written to the log: the entry of an empty line is seventy times as long as the line. */
  log: number;
  /** Bytes of output that are encoded at once; at most `readSize`. */
  read: number;
}

const readSize = 128 * 1024;
/** For throughput. */
export const longSlice: SliceLimits = { output: 256 * 1024, log: 1024 * 1024, read: readSize };
/** A millisecond or two, so that the thread's commands, which API requests wait for, are soon executed. */
export const shortSlice: SliceLimits = { output: 32 * 1024, log: 128 * 1024, read: 8 * 1024 };
const retryAfterMs = 1000;

/** Used within one step only, so all captures of a thread share it. */
const source = Buffer.allocUnsafe(readSize);
const target = Buffer.allocUnsafe(1024 * 1024);

interface LoggedStream {
  spooled: SpooledStream;
  encoder: LineEncoder;
}

export interface CaptureParts {
  clock: Clock;
  compressor: LogCompressor;
  report: (report: CaptureReport) => void;
}

export class ContainerCapture {
  readonly #files: CaptureFiles;
  readonly #state: CaptureState;
  readonly #clock: Clock;
  readonly #report: (report: CaptureReport) => void;
  readonly #streams: readonly LoggedStream[];
  readonly #log: LogFile | undefined;
  readonly #position: PositionFile;
  readonly #target: Buffer;
  readonly #readers = new Map<number, ReaderState>();
  /** The log could not be written: when to retry, and what was dropped since. */
  #writeFailure: { retryAt: number; dropped: number } | undefined;
  #isDraining = false;

  constructor(files: CaptureFiles, state: SharedArrayBuffer, { clock, compressor, report }: CaptureParts) {
    this.#files = files;
    this.#state = new CaptureState(state);
    this.#clock = clock;
    this.#report = report;
    const position = readPosition(files.position) ?? readPosition(files.formerPosition);
    this.#log = files.log && openLog(files.log, compressor, position);
    this.#streams = files.streams.map((stream) => ({
      spooled: new SpooledStream(stream, position?.[stream.name] ?? 0),
      encoder: new LineEncoder(stream.name, files.log?.attributes ?? ''),
    }));
    this.#target = targetFor(this.#streams);
    this.#position = new PositionFile(files.position);
    this.#savePosition();
    this.#publish();
  }

  /** When to pump again although no output arrived; undefined: not needed. */
  get retryAt(): number | undefined {
    return this.#writeFailure?.retryAt;
  }

  /** A writer is connected. */
  get hasWriter(): boolean {
    return this.#streams.some(({ spooled }) => spooled.hasWriter);
  }

  /** Clients are attached and wait for output. */
  get isAttached(): boolean {
    return this.#readers.size > 0;
  }

  /** Runs one time slice. Returns true when there is more to do. */
  pump(limits: SliceLimits = longSlice): boolean {
    let moved = 0;
    for (const stream of this.#streams) moved += this.#pumpStream(stream, limits, false);
    if (moved > 0) this.#publish();
    this.#state.held = this.#streams.some(({ spooled }) => spooled.backlog >= spoolBound);
    return moved > 0;
  }

  /** No output arrives: closes what output is written to, until there is some. The FIFOs stay open. */
  rest(): void {
    try {
      for (const { spooled } of this.#streams) spooled.rest();
      this.#log?.rest();
      this.#position.rest();
    } catch (error) {
      const fields = { ...this.#path(), error: messageOf(error) };
      this.#report({ level: 'warn', message: 'closing a container log failed', fields });
    }
  }

  /** From now on slow attached clients block nothing: the rest must fit into the spool files. */
  beginDrain(): void {
    this.#isDraining = true;
  }

  /** Reads what the FIFOs hold, and returns the log positions at which it is logged. */
  take(): number[] {
    return this.#streams.map(({ spooled }) => {
      spooled.take(longSlice.output, this.#isDraining);
      return spooled.spooled;
    });
  }

  hasLogged(positions: readonly number[]): boolean {
    return this.#streams.every(({ spooled }, index) => spooled.logged >= (positions[index] ?? 0));
  }

  addReader(id: number, position: ReaderPosition, offsets: SharedArrayBuffer): ReaderOpened {
    const reader = new ReaderState(offsets);
    const files = this.#streams.flatMap(({ spooled }) => {
      const present = reader.offset(spooled.name);
      reader.advance(spooled.name, { start: 0, logged: spooled.logged, now: spooled.spooled, present }[position]);
      spooled.readers.add(reader);
      return position === 'present' ? [] : [{ name: spooled.name, fd: spooled.openSpool() }];
    });
    this.#readers.set(id, reader);
    return { files, log: { inode: this.#log?.inode ?? 0n, size: this.#log?.size ?? 0 } };
  }

  dropReader(id: number): void {
    const reader = this.#readers.get(id);
    this.#readers.delete(id);
    for (const { spooled } of this.#streams) if (reader) spooled.readers.delete(reader);
  }

  /** Logs the rest, including an unfinished line. */
  finish(): void {
    this.#isDraining = true;
    if (this.#writeFailure) this.#writeFailure.retryAt = 0;
    for (const stream of this.#streams) while (this.#pumpStream(stream, longSlice, true) > 0);
    if (this.#writeFailure) this.#dropBacklog();
    this.close();
  }

  close(): void {
    for (const { spooled } of this.#streams) spooled.close();
    this.#log?.close();
    this.#position.close();
    this.#publish();
    this.#state.end();
  }

  /** Returns the number of bytes moved. */
  #pumpStream({ spooled, encoder }: LoggedStream, limits: SliceLimits, isEnd: boolean): number {
    let moved = 0;
    try {
      moved += spooled.take(limits.output, this.#isDraining);
      moved += this.#log ? this.#write(this.#log, { spooled, encoder }, limits, isEnd) : passOver(spooled);
      if (!this.#log && moved > 0) this.#recover();
      spooled.free();
    } catch (error) {
      this.#fail(error);
    }
    return moved;
  }

  #write(log: LogFile, { spooled, encoder }: LoggedStream, limits: SliceLimits, isEnd: boolean): number {
    if (this.#writeFailure && performance.now() < this.#writeFailure.retryAt) return this.#dropIfFull(spooled);
    let written = 0;
    let logged = 0;
    while (written < limits.output && logged < limits.log) {
      const count = spooled.read(source.subarray(0, limits.read));
      if (count === 0) break;
      if (log.reopen()) this.#savePosition();
      if (log.room <= 0) log.rotate();
      const isLast = isEnd && spooled.logged + count === spooled.spooled;
      const time = formatLogTime(this.#clock.now());
      const size = encoder.encode(source.subarray(0, count), this.#target, log.room, time, isLast);
      if (encoder.consumed === 0) break; // an unfinished line
      log.append(this.#target.subarray(0, size));
      spooled.logged += encoder.consumed;
      written += encoder.consumed;
      logged += size;
      this.#savePosition();
    }
    if (written > 0) this.#recover();
    return written;
  }

  /** A full disk blocks no container, as in Docker: output that does not fit into the spool file is dropped. */
  #dropIfFull(spooled: SpooledStream): number {
    const waiting = spooled.spooled - spooled.logged;
    if (waiting < spoolBound || !this.#writeFailure) return 0;
    this.#writeFailure.dropped += waiting;
    return passOver(spooled);
  }

  #dropBacklog(): void {
    let dropped = this.#writeFailure?.dropped ?? 0;
    for (const { spooled } of this.#streams) dropped += passOver(spooled);
    if (dropped > 0)
      this.#report({
        level: 'error',
        message: 'container output was not logged',
        fields: { ...this.#path(), bytes: dropped },
      });
  }

  #fail(error: unknown): void {
    if (!this.#writeFailure)
      this.#report({
        level: 'error',
        message: 'writing a container log failed',
        fields: { ...this.#path(), error: messageOf(error) },
      });
    this.#writeFailure = { retryAt: performance.now() + retryAfterMs, dropped: this.#writeFailure?.dropped ?? 0 };
  }

  #recover(): void {
    const { dropped } = this.#writeFailure ?? { dropped: 0 };
    this.#writeFailure = undefined;
    if (dropped > 0)
      this.#report({
        level: 'warn',
        message: 'container output was not logged',
        fields: { ...this.#path(), bytes: dropped },
      });
  }

  #path(): { path: string | undefined } {
    return { path: this.#files.log?.path };
  }

  #publish(): void {
    for (const { spooled } of this.#streams) this.#state.setSpooled(spooled.name, spooled.spooled);
    if (this.#log) this.#state.setLog(this.#log);
    this.#state.announce();
  }

  #savePosition(): void {
    const logged = (name: OutputStream): number =>
      this.#streams.find(({ spooled }) => spooled.name === name)?.spooled.logged ?? 0;
    this.#position.write({
      logInode: this.#log?.inode ?? 0n,
      logSize: this.#log?.size ?? 0,
      stdout: logged('stdout'),
      stderr: logged('stderr'),
    });
  }
}

function openLog(
  { path, rotation }: LogTarget,
  compressor: LogCompressor,
  position: OutputPosition | undefined,
): LogFile {
  return new LogFile(path, { rotation, compressor }, position && { inode: position.logInode, size: position.logSize });
}

function targetFor(streams: readonly LoggedStream[]): Buffer {
  const longest = 2 * Math.max(0, ...streams.map(({ encoder }) => encoder.longestEntry));
  return longest <= target.length ? target : Buffer.allocUnsafe(longest);
}

function passOver(spooled: SpooledStream): number {
  const passed = spooled.spooled - spooled.logged;
  spooled.logged = spooled.spooled;
  return passed;
}
