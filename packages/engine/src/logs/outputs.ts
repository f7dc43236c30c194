/**
 * Which containers' output is being captured: begins with a run, goes on after a restart of the daemon, ends with the
 * run. Owns the files below the exec root; the log itself lives below the data root and outlasts the runs.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '@netyard/core';
import type { EngineSettings, PipeFiles } from '../context.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory, ioDirectories, ioDirectory, ioPath, logPath, positionPath } from '../paths.ts';
import { Capture, type OutputStream, readSize } from './capture.ts';
import { LogFile } from './log-file.ts';
import { logAttributes, parseRotation } from './log-options.ts';
import { PositionFile, readPosition } from './position.ts';
import { SourceFile } from './source-file.ts';

export interface OutputsOptions {
  settings: EngineSettings;
  files: PipeFiles;
  clock: Clock;
  logger: Logger;
}

/** Told of the next run's capture; undefined: there will be none. */
type BeginListener = (capture: Capture | undefined) => void;

export class Outputs {
  readonly #options: OutputsOptions;
  readonly #buffer = Buffer.allocUnsafe(readSize);
  readonly #captures = new Map<string, Capture>();
  readonly #listeners = new Map<string, Set<BeginListener>>();

  constructor(options: OutputsOptions) {
    this.#options = options;
  }

  /** Of the run that is on; undefined: none is. */
  capture(id: string): Capture | undefined {
    return this.#captures.get(id);
  }

  /** Calls once, when the next run begins or the container is removed. Returns how to stop waiting. */
  onBegin(id: string, listener: BeginListener): () => void {
    const listeners = this.#listeners.get(id) ?? new Set<BeginListener>();
    this.#listeners.set(id, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Makes the output files of a new run, empty, and follows them. */
  async begin(record: ContainerRecord): Promise<void> {
    const { settings } = this.#options;
    await this.finish(record);
    mkdirSync(ioDirectory(settings, record.id), { recursive: true, mode: 0o700 });
    for (const name of streamsOf(record)) closeSync(openSync(ioPath(settings, record.id, name), 'wx', 0o600));
    this.#start(record, { stdout: 0, stderr: 0 }, undefined);
  }

  /** Goes on where a killed daemon stopped. Does nothing when the files are gone (after a reboot). */
  adopt(record: ContainerRecord): void {
    const { settings } = this.#options;
    if (!streamsOf(record).some((name) => existsSync(ioPath(settings, record.id, name)))) return;
    const position = readPosition(positionPath(settings, record.id));
    const keep = position && { inode: position.logInode, size: position.logSize };
    this.#start(record, position ?? { stdout: 0, stderr: 0 }, keep);
  }

  /** Takes what is left into the log and removes the files. Also for a run whose end was missed. */
  async finish(record: ContainerRecord): Promise<void> {
    if (!this.#captures.has(record.id)) this.adopt(record);
    await this.#captures.get(record.id)?.finish();
    this.#captures.delete(record.id);
    this.#forgetFiles(record.id);
  }

  /** The container is removed: nobody needs to wait for its output any more. */
  remove(record: ContainerRecord): void {
    const capture = this.#captures.get(record.id);
    capture?.abandon();
    this.#captures.delete(record.id);
    this.#forgetFiles(record.id);
    this.#tell(record.id, undefined);
  }

  /** Leaves everything to the next daemon. */
  abandonAll(): void {
    for (const capture of this.#captures.values()) capture.abandon();
    this.#captures.clear();
  }

  /** Ids that have files below the exec root. */
  leftovers(): string[] {
    const directory = ioDirectories(this.#options.settings);
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  removeLeftover(id: string): void {
    rmSync(ioDirectory(this.#options.settings, id), { recursive: true, force: true });
  }

  /** FIFOs of commands that ran when the daemon was killed: nobody can read them any more. */
  removeExecFiles(id: string): void {
    const directory = ioDirectory(this.#options.settings, id);
    if (!existsSync(directory)) return;
    for (const name of readdirSync(directory)) if (name.startsWith('exec-')) rmSync(join(directory, name));
  }

  #start(
    record: ContainerRecord,
    offsets: { stdout: number; stderr: number },
    keep: { inode: bigint; size: number } | undefined,
  ): void {
    const { settings, files, clock, logger } = this.#options;
    const log = this.#openLog(record, keep);
    const streams = streamsOf(record).flatMap((name) => {
      const file = SourceFile.open(ioPath(settings, record.id, name), offsets[name], files.punchHole);
      return file ? [{ name, file, offset: offsets[name] }] : [];
    });
    log?.position.write({ logInode: log.file.inode, logSize: log.file.size, ...offsetsOf(streams) });
    const capture = new Capture({
      directory: ioDirectory(settings, record.id),
      streams,
      log,
      buffer: this.#buffer,
      clock,
      logger,
    });
    this.#captures.set(record.id, capture);
    this.#tell(record.id, capture);
  }

  #openLog(record: ContainerRecord, keep: { inode: bigint; size: number } | undefined) {
    const { settings } = this.#options;
    const { config, id } = record;
    if (config.logDriver === 'none') return undefined;
    mkdirSync(containerDirectory(settings, id), { recursive: true, mode: 0o710 });
    return {
      file: new LogFile(logPath(settings, id), parseRotation(config.logOptions), keep),
      position: new PositionFile(positionPath(settings, id)),
      attributes: logAttributes(config.logOptions, config.labels, record.process.env),
    };
  }

  /** The output first: with a position and no files nothing is read twice, the other way round all would be. */
  #forgetFiles(id: string): void {
    const { settings } = this.#options;
    rmSync(ioDirectory(settings, id), { recursive: true, force: true });
    rmSync(positionPath(settings, id), { force: true });
  }

  #tell(id: string, capture: Capture | undefined): void {
    const listeners = this.#listeners.get(id);
    this.#listeners.delete(id);
    for (const listener of listeners ?? []) listener(capture);
  }
}

/** With a terminal there is one stream only. */
export function streamsOf(record: ContainerRecord): OutputStream[] {
  return record.config.tty ? ['stdout'] : ['stdout', 'stderr'];
}

function offsetsOf(streams: readonly { name: OutputStream; offset: number }[]): { stdout: number; stderr: number } {
  const offset = (name: OutputStream): number => streams.find((stream) => stream.name === name)?.offset ?? 0;
  return { stdout: offset('stdout'), stderr: offset('stderr') };
}
