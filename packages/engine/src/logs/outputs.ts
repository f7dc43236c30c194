/**
 * Which containers' output is being collected: starts with a run, continues after a restart of the daemon, ends with
 * the run. Owns the files below the exec root; the log itself is below the data root and outlives the runs.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Logger, messageOf } from '@netyard/core';
import type { ContainerRecord } from '../model.ts';
import {
  containerDirectory,
  formerPositionPath,
  ioDirectories,
  ioDirectory,
  ioPath,
  logPath,
  positionPath,
  spoolPath,
} from '../paths.ts';
import type { EngineSettings, PipeFiles } from '../settings.ts';
import { Capture, type CaptureThread } from './capture.ts';
import type { CaptureCommand, CaptureFiles, CaptureReport, LogTarget } from './capture-protocol.ts';
import type { OutputStream } from './capture-state.ts';
import { logAttributes } from './log-attributes.ts';
import { clampMaxFile, parseRotation } from './log-options.ts';
import type { TagFields } from './log-tag.ts';
import type { RequestActivity } from './request-activity.ts';
import { Thread } from './thread.ts';

export interface OutputsOptions {
  settings: EngineSettings;
  files: Pick<PipeFiles, 'makeFifo'>;
  logger: Logger;
  requests: RequestActivity;
  /** Tests replace capture-thread.ts by a thread that fails. */
  entry?: URL | undefined;
}

/** Called with the next run's capture; undefined: there will be none. */
type BeginListener = (capture: Capture | undefined) => void;

export class Outputs {
  readonly #options: OutputsOptions;
  readonly #thread: CaptureThread;
  readonly #captures = new Map<string, Capture>();
  readonly #listeners = new Map<string, Set<BeginListener>>();
  #nextKey = 0;

  constructor(options: OutputsOptions) {
    this.#options = options;
    this.#thread = new Thread<CaptureCommand, CaptureReport>({
      entry: options.entry ?? new URL('./capture-thread.ts', import.meta.url),
      requests: options.requests.buffer,
      onReport: ({ level, message, fields }) => options.logger[level](message, fields),
      onFailure: (error) => this.#startAgain(error),
    });
  }

  /** The capture of the current run; undefined if there is none. */
  capture(id: string): Capture | undefined {
    return this.#captures.get(id);
  }

  /** Calls the listener once, when the next run starts or the container is removed. Returns how to stop waiting. */
  onBegin(id: string, listener: BeginListener): () => void {
    const listeners = this.#listeners.get(id) ?? new Set<BeginListener>();
    this.#listeners.set(id, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Creates the FIFOs of a new run. Returns their paths. */
  async prepare(record: ContainerRecord): Promise<string[]> {
    const { settings, files } = this.#options;
    await this.finish(record);
    mkdirSync(ioDirectory(settings, record.id), { recursive: true, mode: 0o700 });
    const paths = streamsOf(record).map((name) => ioPath(settings, record.id, name));
    for (const path of paths) files.makeFifo(path);
    return paths;
  }

  /** Starts collecting the output of the prepared run. */
  begin(record: ContainerRecord): Promise<void> {
    return this.#start(record);
  }

  /** Continues where a killed daemon stopped. Does nothing when the files are gone (after a reboot). */
  adopt(record: ContainerRecord): void {
    const { settings, logger } = this.#options;
    if (!streamsOf(record).some((name) => existsSync(ioPath(settings, record.id, name)))) return;
    this.#start(record).catch((error: unknown) =>
      logger.error('collecting container output failed', { container: record.id, error: messageOf(error) }),
    );
  }

  /** The process has ended: resolves when all its output has been read. Also for a run whose end was missed. */
  async drain(record: ContainerRecord): Promise<void> {
    if (!this.#captures.has(record.id)) this.adopt(record);
    await this.#captures.get(record.id)?.drain();
  }

  /** Logs the rest of the output and removes the files. */
  async finish(record: ContainerRecord): Promise<void> {
    if (!this.#captures.has(record.id)) this.adopt(record);
    try {
      await this.#captures.get(record.id)?.finish();
    } finally {
      this.#captures.delete(record.id);
      this.#removeFiles(record.id);
    }
  }

  /** The container is removed: waiters for its output are released. */
  remove(record: ContainerRecord): void {
    void this.#captures
      .get(record.id)
      ?.abandon()
      .catch(() => undefined); // the thread failed, which is logged
    this.#captures.delete(record.id);
    this.#removeFiles(record.id);
    this.#announce(record.id, undefined);
  }

  /** Leaves all files to the next daemon. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#captures.values()].map((capture) => capture.abandon()));
    this.#captures.clear();
    await this.#thread.close();
  }

  /** Ids that have files below the exec root. */
  leftovers(): string[] {
    const directory = ioDirectories(this.#options.settings);
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  removeLeftover(id: string): void {
    this.#removeFiles(id);
  }

  /** FIFOs of exec processes that ran when the daemon was killed: no client can read them any more. */
  removeExecFiles(id: string): void {
    const directory = ioDirectory(this.#options.settings, id);
    if (!existsSync(directory)) return;
    for (const name of readdirSync(directory)) if (name.startsWith('exec-')) rmSync(join(directory, name));
  }

  /** Rejects, rather than throws, also when the options of a container's log are not valid any more. */
  async #start(record: ContainerRecord): Promise<void> {
    this.#nextKey += 1;
    const capture = new Capture(this.#nextKey, this.#filesOf(record), this.#thread);
    this.#captures.set(record.id, capture);
    const opened = capture.open();
    this.#announce(record.id, capture);
    await opened;
  }

  #filesOf(record: ContainerRecord): CaptureFiles {
    const { settings } = this.#options;
    const { id } = record;
    return {
      streams: streamsOf(record)
        .map((name) => ({ name, source: ioPath(settings, id, name), spool: spoolPath(settings, id, name) }))
        .filter(({ source }) => existsSync(source)),
      position: positionPath(settings, id),
      formerPosition: formerPositionPath(settings, id),
      log: this.#logTarget(record),
    };
  }

  #logTarget(record: ContainerRecord): LogTarget | undefined {
    const { settings } = this.#options;
    const { config, id, process } = record;
    if (config.logDriver === 'none') return undefined;
    mkdirSync(containerDirectory(settings, id), { recursive: true, mode: 0o710 });
    return {
      path: logPath(settings, id),
      rotation: parseRotation(config.logDriver, this.#logOptionsOf(record)),
      attributes: logAttributes(config.logOptions, { labels: config.labels, env: process.env, tag: tagFields(record) }),
    };
  }

  #logOptionsOf({ id, config }: ContainerRecord): Readonly<Record<string, string>> {
    const clamped = clampMaxFile(config.logOptions);
    if (clamped === undefined) return config.logOptions;
    this.#options.logger.warn("a container's log option max-file is out of range; the largest value is used instead", {
      ...{ container: id, 'max-file': config.logOptions['max-file'] },
      hint: 'create the container again with a smaller value',
    });
    return clamped;
  }

  /** The position file says where each capture stopped, as after a kill of the whole daemon. */
  #startAgain(error: Error): Promise<unknown> {
    const { logger } = this.#options;
    logger.error('restarting the thread that collects container output after a failure', { error: error.message });
    const reopened = [...this.#captures].map(([container, capture]) =>
      capture
        .reopen()
        .catch((failure: unknown) =>
          logger.error('collecting container output failed', { container, error: messageOf(failure) }),
        ),
    );
    return Promise.all(reopened);
  }

  /**
   * Deletes the output first: with a position and no output nothing is read twice; in the other order all of it would
   * be.
   */
  #removeFiles(id: string): void {
    const { settings } = this.#options;
    for (const name of ['stdout', 'stderr'] as const) {
      rmSync(ioPath(settings, id, name), { force: true });
      rmSync(spoolPath(settings, id, name), { force: true });
    }
    rmSync(ioDirectory(settings, id), { recursive: true, force: true });
    rmSync(formerPositionPath(settings, id), { force: true });
  }

  #announce(id: string, capture: Capture | undefined): void {
    const listeners = this.#listeners.get(id);
    this.#listeners.delete(id);
    for (const listener of listeners ?? []) listener(capture);
  }
}

/** With a terminal there is only one stream. */
export function streamsOf(record: ContainerRecord): OutputStream[] {
  return record.config.tty ? ['stdout'] : ['stdout', 'stderr'];
}

const shortIdLength = 12;

/** Short ids are those of Docker's log drivers: of an image with the name of the digest. */
function tagFields({ id, name, imageId, config, process }: ContainerRecord): TagFields {
  return {
    ID: id.slice(0, shortIdLength),
    FullID: id,
    Name: name,
    ImageID: imageId.slice(0, shortIdLength),
    ImageFullID: imageId,
    ImageName: config.image,
    DaemonName: 'docker',
    Command: process.args.join(' '),
    Hostname: hostname(),
  };
}
