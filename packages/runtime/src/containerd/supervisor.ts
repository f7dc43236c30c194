/**
 * Supervises the daemon's own containerd: starts it if it is not running, adopts it if it is, restarts it when it dies.
 *
 * It runs in a session of its own and outlives the daemon, as the containers do. There is never a second one: the
 * process table is searched before each start.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logger, messageOf, NetyardError } from '@netyard/core';
import { type ContainerdClient, connectContainerd } from './client.ts';
import { containerdConfig } from './config-file.ts';
import { findContainerd, isRunning, type ProcessIdentity } from './process.ts';

export interface SupervisorOptions {
  /** Looked up in PATH. */
  executable: string;
  /** Absolute directories, created if missing. See ContainerdFiles. */
  root: string;
  state: string;
  /** Absolute path of the unix socket, at most 100 bytes. */
  socket: string;
  logger: Logger;
  /** Environment of containerd and of all shims; PATH is needed. */
  env: Readonly<Record<string, string | undefined>>;
}

export interface ContainerdSupervisor {
  readonly socket: string;
  /** The last known process id; 0 while there is none. */
  pid(): number;
  /** Resolves as soon as containerd responds. Rejects with `unavailable` after the timeout. */
  ready(timeoutMs: number): Promise<void>;
  /** Stops supervising: the daemon ends, containerd keeps running. */
  detach(): Promise<void>;
  /** Ends containerd too. Running containers continue, but cannot be queried. */
  stop(): Promise<void>;
}

const firstStartMs = 30_000;
const stopPatienceMs = 10_000;
const shortestPauseMs = 100;
const longestPauseMs = 10_000;
/** A process that has lived this long counts as started. */
const healthyAfterMs = 10_000;
const largestLog = 16 * 1024 * 1024;

/** Returns when containerd responds. Throws `unavailable` with the end of its log when it does not. */
export async function superviseContainerd(options: SupervisorOptions): Promise<ContainerdSupervisor> {
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  mkdirSync(options.state, { recursive: true, mode: 0o711 });
  const supervisor = new Supervisor(options);
  try {
    await supervisor.ready(firstStartMs);
  } catch (error) {
    await supervisor.detach();
    throw new NetyardError('unavailable', `containerd does not start: ${messageOf(error)}${supervisor.logTail()}`, {
      hint: `install containerd (Debian: apt install containerd), or see its log ${supervisor.logFile}`,
      cause: error,
    });
  }
  return supervisor;
}

class Supervisor implements ContainerdSupervisor {
  readonly socket: string;
  readonly logFile: string;
  readonly #options: SupervisorOptions;
  readonly #configFile: string;
  readonly #client: ContainerdClient;
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #process: ProcessIdentity | undefined;
  #answering = Promise.withResolvers<void>();
  #answers = false;
  #hasAnswered = false;
  #lastFailure = 'it does not respond';

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.socket = options.socket;
    this.#configFile = join(options.state, 'config.toml');
    this.logFile = join(options.state, 'containerd.log');
    this.#client = connectContainerd({ socket: options.socket, namespace: 'netyard-supervisor' });
    this.#loop = this.#run();
  }

  pid(): number {
    return this.#process?.pid ?? 0;
  }

  async ready(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const timeout = pause(timeoutMs, undefined, { signal: late.signal, ref: false }).then(() => {
      throw new NetyardError('unavailable', this.#lastFailure);
    });
    try {
      await Promise.race([this.#answering.promise, timeout]);
    } finally {
      late.abort();
      timeout.catch(() => undefined); // aborted: its log adds nothing
    }
  }

  async detach(): Promise<void> {
    this.#ending.abort();
    this.#client.close();
    await this.#loop;
  }

  async stop(): Promise<void> {
    await this.detach();
    const process = findContainerd(this.#configFile);
    if (process) await endProcess(process);
    rmSync(this.socket, { force: true });
  }

  logTail(): string {
    try {
      const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-5);
      return `\n  ${lines.join('\n  ')}`;
    } catch {
      return ''; // it wrote no log
    }
  }

  /** One iteration is the lifetime of one containerd process, as far as this daemon sees it. */
  async #run(): Promise<void> {
    let wait = shortestPauseMs;
    while (!this.#ending.signal.aborted) {
      const began = performance.now();
      try {
        this.#process = findContainerd(this.#configFile) ?? (await this.#start());
        await this.#untilItAnswers(this.#process);
        this.#noteAnswer();
        await this.#untilItBreaks();
      } catch (error) {
        this.#lastFailure = messageOf(error);
      }
      if (this.#ending.signal.aborted) return;
      await this.#noteEnd();
      wait = performance.now() - began > healthyAfterMs ? shortestPauseMs : Math.min(wait * 2, longestPauseMs);
      if (!this.#process) await this.#sleep(wait);
    }
  }

  #noteAnswer(): void {
    this.#answers = true;
    this.#hasAnswered = true;
    this.#answering.resolve();
  }

  async #noteEnd(): Promise<void> {
    if (!this.#hasAnswered) this.#answering.reject(new Error(this.#lastFailure)); // the first start: the caller waits for it
    if (this.#answers) this.#answering = Promise.withResolvers<void>();
    this.#answers = false;
    if (this.#process && isRunning(this.#process)) return void (await this.#sleep(shortestPauseMs));
    this.#process = undefined;
    this.#options.logger.warn('containerd is not running, restarting it', { reason: this.#lastFailure });
  }

  async #start(): Promise<ProcessIdentity> {
    const { executable, logger, env } = this.#options;
    writeFileSync(this.#configFile, containerdConfig(this.#options), { mode: 0o600 });
    const log = openSync(this.logFile, isLarge(this.logFile) ? 'w' : 'a', 0o640);
    const child = spawn(executable, ['--config', this.#configFile], {
      cwd: '/',
      detached: true, // a session of its own: the daemon's signals do not end it
      env: { ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const started = Promise.withResolvers<void>();
    child.once('spawn', started.resolve);
    child.once('error', started.reject);
    child.unref();
    await started.promise;
    const process = findContainerd(this.#configFile);
    if (!process) throw new Error('it ended at once');
    logger.info('started containerd', { pid: process.pid, socket: this.socket });
    return process;
  }

  async #untilItAnswers(process: ProcessIdentity): Promise<void> {
    for (;;) {
      try {
        await this.#client.version.version({}, { timeoutMs: 5000, signal: this.#ending.signal });
        return;
      } catch (error) {
        this.#lastFailure = messageOf(error);
      }
      this.#ending.signal.throwIfAborted();
      if (!isRunning(process)) throw new Error(`the process ${process.pid} ended`);
      await this.#sleep(20);
    }
  }

  /** A stream without events: it ends when containerd does. */
  async #untilItBreaks(): Promise<void> {
    const nothing = { filters: ['topic=="/netyard/nothing"'] };
    for await (const _ of this.#client.events.subscribe(nothing, { signal: this.#ending.signal }));
    throw new Error('it closed the connection');
  }

  #sleep(milliseconds: number): Promise<void> {
    return pause(milliseconds, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}

/** Sends SIGTERM, and SIGKILL when that is not enough. */
async function endProcess(process: ProcessIdentity): Promise<void> {
  signal(process, 'SIGTERM');
  const deadline = performance.now() + stopPatienceMs;
  while (isRunning(process)) {
    if (performance.now() > deadline) signal(process, 'SIGKILL');
    await pause(20);
  }
}

function signal(target: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    process.kill(target.pid, name);
  } catch (error) {
    if (isRunning(target)) throw error;
  }
}

function isLarge(path: string): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size > largestLog;
}
