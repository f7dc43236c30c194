/**
 * Notices that a process of a container has ended although containerd reports no exit: its shim is stuck or stopped, or
 * the event got lost on its way. Without it the container would run forever, and could be neither stopped nor removed, and
 * the client of an exec would wait for its end forever.
 */
import { readFileSync } from 'node:fs';
import { type Logger, messageOf, systemClock } from '@netyard/core';
import type { ExitStatus, RuntimeEvent } from '@netyard/engine';
import { ProcessEnds } from '@netyard/kernel';
import { type Process, Status } from '../containerd/gen/task_types_pb.ts';
import { nanosecondsOf } from './any.ts';
import { exitCodeIn } from './ended-process.ts';
import { isOfContainer } from './signal-process.ts';

export interface LostExitTimes {
  everyMs: number;
  /** After the end; then containerd is asked. */
  askAfterMs: number;
  /** After the end of a main process; then a shim that does not report it is killed. No longer waited for an exec. */
  killAfterMs: number;
}

export const usualTimes: LostExitTimes = { everyMs: 5_000, askAfterMs: 5_000, killAfterMs: 30_000 };

export interface LostExitOptions {
  times: LostExitTimes;
  /** containerd's report of a process; undefined when there is no such one. Throws when containerd is down. */
  report: (
    id: string,
    execId: string | undefined,
  ) => Promise<Pick<Process, 'status' | 'pid' | 'exitStatus' | 'exitedAt'> | undefined>;
  killShim: (id: string) => void;
  emit: (event: RuntimeEvent) => void;
  logger: Logger;
}

interface WatchedProcess {
  id: string;
  /** Undefined for the main process. */
  execId: string | undefined;
  pid: number;
  /** When its end was noticed, by performance.now(). */
  endedAt?: number;
  isAsked?: boolean;
  exitCode?: number;
}

/** Docker's code for an unknown exit status. */
const unknownExitCode = 255;

export class LostExits {
  readonly #options: LostExitOptions;
  readonly #ends = new ProcessEnds();
  /** By `keyOf`. */
  readonly #processes = new Map<string, WatchedProcess>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LostExitOptions) {
    this.#options = options;
  }

  /** Until its exit is reported. Does nothing for a process that has ended or is not the container's. */
  watch(id: string, pid: number, execId?: string): void {
    const key = keyOf(id, execId);
    if (this.#isClosed || pid <= 1 || this.#processes.get(key)?.pid === pid) return;
    this.forget(id, execId);
    try {
      this.#ends.add(pid);
    } catch (error) {
      this.#options.logger.debug('not watching a process', { container: id, pid, error: messageOf(error) });
      return;
    }
    this.#processes.set(key, { id, execId, pid });
    if (!isOfContainer(id, pid)) this.forget(id, execId);
    this.#schedule();
  }

  forget(id: string, execId?: string): void {
    const process = this.#processes.get(keyOf(id, execId));
    if (!process) return;
    this.#processes.delete(keyOf(id, execId));
    this.#ends.remove(process.pid);
  }

  /** For each of containerd's events. */
  note(event: RuntimeEvent): void {
    if (event.type !== 'exit') return;
    const { id, execId, pid } = event;
    if (this.#processes.get(keyOf(id, execId))?.pid === pid) this.forget(id, execId);
  }

  /** Also when it is closed. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#processes.clear();
    this.#ends.close();
  }

  #schedule(): void {
    if (this.#isClosed || this.#processes.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
      this.#schedule();
    }, this.#options.times.everyMs).unref();
  }

  #look(): void {
    const ended = new Set(this.#ends.takeEnded());
    const now = performance.now();
    const { askAfterMs, killAfterMs } = this.#options.times;
    for (const process of this.#processes.values()) {
      if (ended.has(process.pid)) Object.assign(process, { endedAt: now, exitCode: readExitCode(process.pid) });
      const sinceEnd = now - (process.endedAt ?? Number.POSITIVE_INFINITY);
      if (sinceEnd < askAfterMs) continue;
      if (!process.isAsked) void this.#ask(process, sinceEnd >= killAfterMs);
      else if (sinceEnd >= killAfterMs) this.#giveUp(process);
    }
  }

  /** containerd never answers about an exec process of a stuck shim. As a zombie the process has shown its code. */
  #giveUp(process: WatchedProcess): void {
    if (process.execId === undefined || process.exitCode === undefined) return;
    this.#report(process, { exitCode: process.exitCode, exitedAt: systemClock.now() });
  }

  /** containerd answers late about a shim that is stuck: the others do not wait for it. */
  async #ask(process: WatchedProcess, isOverdue: boolean): Promise<void> {
    process.isAsked = true;
    try {
      await this.#settle(process, isOverdue);
    } catch (error) {
      this.#options.logger.debug('asking for a lost exit failed', { container: process.id, error: messageOf(error) });
    } finally {
      process.isAsked = false;
    }
  }

  async #settle(watched: WatchedProcess, isOverdue: boolean): Promise<void> {
    const { report, killShim } = this.#options;
    const { id, execId, pid } = watched;
    const process = await report(id, execId);
    if (this.#isClosed || this.#processes.get(keyOf(id, execId)) !== watched) return; // reported meanwhile
    const isReported = process?.status === Status.STOPPED && process.pid === pid;
    if (process !== undefined && !isReported && !isOverdue) return;
    this.#report(
      watched,
      isReported
        ? { exitCode: process.exitStatus, exitedAt: nanosecondsOf(process.exitedAt) }
        : { exitCode: watched.exitCode ?? unknownExitCode, exitedAt: systemClock.now() },
    );
    if (!isReported && execId === undefined) killShim(id); // the container of an exec may still run
  }

  #report({ id, execId, pid }: WatchedProcess, exit: ExitStatus): void {
    this.forget(id, execId);
    const exec = execId === undefined ? {} : { execId };
    const what = execId === undefined ? 'a container' : 'an exec process';
    this.#options.logger.warn(`containerd did not report the end of ${what}`, { container: id, ...exec, pid, ...exit });
    this.#options.emit({ type: 'exit', id, ...exec, pid, exit });
  }
}

const keyOf = (id: string, execId: string | undefined): string => (execId === undefined ? id : `${id} ${execId}`);

/** undefined when the process is not a zombie any more. */
function readExitCode(pid: number): number | undefined {
  try {
    return exitCodeIn(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // its shim has reaped it
  }
}
