/** Exec processes of running containers. In memory only: they do not outlive the daemon. */
import { NetyardError } from '@netyard/core';
import type { ExecRecord } from '../model.ts';
import type { ExitStatus } from '../ports.ts';

/** How long an ended process can still be inspected. Docker's clean-up takes five to ten minutes. */
const keptMilliseconds = 5 * 60_000;

export class ExecRegistry {
  readonly #records = new Map<string, ExecRecord>();
  readonly #started = new Set<string>();
  /** Processes between their claim and the end of their start. */
  readonly #starting = new Map<string, PromiseWithResolvers<void>>();
  readonly #endings = new Map<string, (exit: ExitStatus) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #pipes = new Set<{ destroy(): void }>();

  add(record: ExecRecord): void {
    this.#records.set(record.id, record);
  }

  find(id: string): ExecRecord | undefined {
    return this.#records.get(id);
  }

  get(id: string): ExecRecord {
    const record = this.#records.get(id);
    if (record) return record;
    throw new NetyardError('not-found', `No such exec instance: ${id}`);
  }

  put(record: ExecRecord): void {
    if (this.#records.has(record.id)) this.#records.set(record.id, record);
  }

  running(containerId: string): ExecRecord[] {
    return [...this.#records.values()].filter((record) => record.containerId === containerId && record.running);
  }

  /** Claims the process, which can run only once. Throws `conflict`. */
  claim(id: string): void {
    const { running, exitCode } = this.get(id);
    if (running || (this.#started.has(id) && exitCode === undefined))
      throw new NetyardError('conflict', `exec command ${id} is already running`);
    if (this.#started.has(id)) throw new NetyardError('conflict', `exec command ${id} has already run`);
    this.#started.add(id);
    this.#starting.set(id, Promise.withResolvers());
  }

  /** Resolves when a process that is being started runs, or failed to start. */
  async startEnds(id: string): Promise<void> {
    await this.#starting.get(id)?.promise;
  }

  startEnded(id: string): void {
    this.#starting.get(id)?.resolve();
    this.#starting.delete(id);
  }

  /** Resolves when the runtime reports its exit. Call this before starting it. */
  ending(id: string): Promise<ExitStatus> {
    return new Promise((resolve) => this.#endings.set(id, resolve));
  }

  /** False when the process was not started by this daemon. */
  ended(id: string, exit: ExitStatus): boolean {
    const notify = this.#endings.get(id);
    this.#endings.delete(id);
    notify?.(exit);
    return notify !== undefined;
  }

  /** Registers open pipes, which `close` closes. Returns the function that unregisters them. */
  hold(pipes: { destroy(): void }): () => void {
    this.#pipes.add(pipes);
    return () => void this.#pipes.delete(pipes);
  }

  /** The process was never started or has ended: forgets it after a delay. */
  forgetLater(id: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#forget(id);
    }, keptMilliseconds);
    timer.unref();
    this.#timers.add(timer);
  }

  /** The container's process has ended: drops processes not yet started and ends the running ones. */
  endContainer(containerId: string, exit: ExitStatus): void {
    for (const { id, exitCode } of [...this.#records.values()].filter((record) => record.containerId === containerId)) {
      if (!this.#started.has(id)) this.#forget(id);
      else if (exitCode === undefined) this.ended(id, exit);
    }
  }

  forgetContainer(containerId: string): void {
    for (const record of [...this.#records.values()]) if (record.containerId === containerId) this.#forget(record.id);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const pipes of this.#pipes) pipes.destroy();
    this.#pipes.clear();
  }

  #forget(id: string): void {
    this.#records.delete(id);
    this.#started.delete(id);
    this.#endings.delete(id);
    this.startEnded(id);
  }
}
