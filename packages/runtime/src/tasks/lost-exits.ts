/**
 * Notices that a container's main process has ended although containerd reports no exit: its shim is stuck or stopped,
 * or the event got lost on its way. Without it the container would run forever, and could be neither stopped nor removed.
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
  /** After the end; then a shim that does not report it is killed. */
  killAfterMs: number;
}

export const usualTimes: LostExitTimes = { everyMs: 5_000, askAfterMs: 5_000, killAfterMs: 30_000 };

export interface LostExitOptions {
  times: LostExitTimes;
  /** containerd's report of a main process; undefined when there is no such task. Throws when containerd is down. */
  report: (id: string) => Promise<Pick<Process, 'status' | 'pid' | 'exitStatus' | 'exitedAt'> | undefined>;
  killShim: (id: string) => void;
  emit: (event: RuntimeEvent) => void;
  logger: Logger;
}

interface WatchedTask {
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
  readonly #tasks = new Map<string, WatchedTask>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LostExitOptions) {
    this.#options = options;
  }

  /** Until its exit is reported. Does nothing for a process that has ended or is not the container's. */
  watch(id: string, pid: number): void {
    if (this.#isClosed || pid <= 1 || this.#tasks.get(id)?.pid === pid) return;
    this.forget(id);
    try {
      this.#ends.add(pid);
    } catch (error) {
      this.#options.logger.debug('not watching a process', { container: id, pid, error: messageOf(error) });
      return;
    }
    this.#tasks.set(id, { pid });
    if (!isOfContainer(id, pid)) this.forget(id);
    this.#schedule();
  }

  forget(id: string): void {
    const task = this.#tasks.get(id);
    if (!task) return;
    this.#tasks.delete(id);
    this.#ends.remove(task.pid);
  }

  /** For each of containerd's events. */
  note(event: RuntimeEvent): void {
    if (event.type !== 'exit' || event.execId !== undefined) return;
    if (this.#tasks.get(event.id)?.pid === event.pid) this.forget(event.id);
  }

  /** Also when it is closed. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#tasks.clear();
    this.#ends.close();
  }

  #schedule(): void {
    if (this.#isClosed || this.#tasks.size === 0) return;
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
    for (const [id, task] of this.#tasks) {
      if (ended.has(task.pid)) Object.assign(task, { endedAt: now, exitCode: readExitCode(task.pid) });
      const sinceEnd = now - (task.endedAt ?? Number.POSITIVE_INFINITY);
      if (sinceEnd >= askAfterMs && !task.isAsked) void this.#ask(id, task, sinceEnd >= killAfterMs);
    }
  }

  /** containerd answers late about a shim that is stuck: the others do not wait for it. */
  async #ask(id: string, task: WatchedTask, isOverdue: boolean): Promise<void> {
    task.isAsked = true;
    try {
      await this.#settle(id, task, isOverdue);
    } catch (error) {
      this.#options.logger.debug('asking for a lost exit failed', { container: id, error: messageOf(error) });
    } finally {
      task.isAsked = false;
    }
  }

  async #settle(id: string, task: WatchedTask, isOverdue: boolean): Promise<void> {
    const { report, killShim, emit, logger } = this.#options;
    const process = await report(id);
    if (this.#isClosed || this.#tasks.get(id) !== task) return; // reported meanwhile
    const isReported = process?.status === Status.STOPPED && process.pid === task.pid;
    if (process !== undefined && !isReported && !isOverdue) return;
    this.forget(id);
    const exit: ExitStatus = isReported
      ? { exitCode: process.exitStatus, exitedAt: nanosecondsOf(process.exitedAt) }
      : { exitCode: task.exitCode ?? unknownExitCode, exitedAt: systemClock.now() };
    logger.warn('containerd did not report the end of a container', { container: id, pid: task.pid, ...exit });
    if (!isReported) killShim(id);
    emit({ type: 'exit', id, pid: task.pid, exit });
  }
}

/** undefined when the process is not a zombie any more. */
function readExitCode(pid: number): number | undefined {
  try {
    return exitCodeIn(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // its shim has reaped it
  }
}
