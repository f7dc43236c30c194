/** A runtime whose processes write and exit when the test says so. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { NetyardError, systemClock } from '@netyard/core';
import { openFifo } from '@netyard/kernel';
import type { ExecSpec, Runtime, RuntimeEvent, TaskInfo, TaskMetrics, TaskSpec } from '../../src/index.ts';
import { unexpected } from './unexpected.ts';

/** The shim's largest write. */
const pieceSize = 32 * 1024;

export class FakeRuntime implements Runtime {
  readonly calls: string[] = [];
  readonly tasks = new Map<string, TaskInfo & { spec: TaskSpec }>();
  readonly preparedIds = new Set<string>();
  readonly execs = new Map<string, ExecSpec>();
  /** Called instead of creating the task; to make it fail. */
  onCreate: ((spec: TaskSpec) => void) | undefined;
  /** Called when the process runs and its start is not reported yet. */
  onStart: (() => void) | undefined;
  onExec: ((spec: ExecSpec) => void) | undefined;
  /** The effect of a signal; by default every one but 1 (HUP) ends the process with 128 + signal. */
  onKill: ((id: string, signal: number) => void) | undefined;
  /** Processes end at the next call about them, which fails; their exit events are not delivered yet. */
  endsNow = false;
  /** FIFOs that the shim holds open for reading until the task is deleted, by container. */
  readonly #held = new Map<string, number[]>();
  readonly #writers = new Map<string, Map<string, number>>();
  /** Above Linux's limit (2^22): no process of the machine is mistaken for a container's. */
  #nextPid = 5_000_000;
  #listeners = new Set<(event: RuntimeEvent) => void>();

  async version() {
    return { containerd: 'fake', runtimes: {}, defaultRuntime: 'fake' };
  }

  resolveRuntime(name: string): string {
    if (name === 'nosuch') throw new NetyardError('invalid', `unknown or invalid runtime name: ${name}`);
    return name || 'fake';
  }

  prepare(id: string, held: readonly string[] = []): void {
    this.preparedIds.add(id);
    this.#held.set(
      id,
      held.map((path) => openFifo(path, 'read')),
    );
  }

  prepared(): string[] {
    return [...this.preparedIds];
  }

  async create(spec: TaskSpec): Promise<{ pid: number }> {
    this.calls.push(`create ${spec.id}`);
    this.onCreate?.(spec);
    const pid = this.#nextPid++;
    if (spec.stdio.stdin !== '') openFifo(spec.stdio.stdin, 'both');
    const paths = [spec.stdio.stdout, spec.stdio.stderr].filter((path) => path !== '');
    this.#writers.set(spec.id, new Map(paths.map((path) => [path, openSync(path, 'a')])));
    this.tasks.set(spec.id, { id: spec.id, status: 'created', pid, stdio: spec.stdio, spec });
    return { pid };
  }

  async start(id: string): Promise<void> {
    this.#task(id).status = 'running';
    this.onStart?.();
  }

  async kill(id: string, signal: number, options?: { execId?: string }): Promise<void> {
    this.calls.push(`kill ${signal}`);
    this.#running(id);
    if (options?.execId !== undefined) return this.exitExec(id, options.execId, 128 + signal);
    if (this.onKill) this.onKill(id, signal);
    else if (signal !== 1) this.exit(id, 128 + signal);
  }

  async pause(id: string): Promise<void> {
    this.#running(id).status = 'paused';
  }

  async resume(id: string): Promise<void> {
    this.#running(id).status = 'running';
  }

  async update(id: string): Promise<void> {
    this.#running(id);
    this.calls.push('update');
  }

  async resize(id: string, rows: number, columns: number): Promise<void> {
    this.#running(id);
    this.calls.push(`resize ${rows}x${columns}`);
  }

  async closeStdin(): Promise<void> {
    this.calls.push('closeStdin');
  }

  async delete(id: string) {
    const task = this.tasks.get(id);
    this.tasks.delete(id);
    this.preparedIds.delete(id);
    this.#closeOutput(id);
    for (const fd of this.#held.get(id) ?? []) closeSync(fd);
    this.#held.delete(id);
    return task?.exit;
  }

  async exec(id: string, spec: ExecSpec): Promise<{ pid: number }> {
    this.#running(id);
    this.onExec?.(spec);
    this.execs.set(spec.execId, spec);
    return { pid: this.#nextPid++ };
  }

  async deleteExec() {
    return undefined;
  }

  async pids(id: string): Promise<number[]> {
    return [this.#running(id).pid];
  }

  async metrics(id: string): Promise<TaskMetrics> {
    this.#running(id);
    return unexpected('metrics')();
  }

  async get(id: string): Promise<TaskInfo | undefined> {
    return this.tasks.get(id);
  }

  async list(): Promise<TaskInfo[]> {
    return [...this.tasks.values()];
  }

  events(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {}

  /** The process writes. */
  say(id: string, text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const path = this.#task(id).stdio[stream];
    const fd = this.#writers.get(id)?.get(path) ?? -1;
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += pieceSize) writeSync(fd, bytes.subarray(at, at + pieceSize));
  }

  /** The process ends. */
  exit(id: string, exitCode: number): void {
    const task = this.#task(id);
    const exit = { exitCode, exitedAt: systemClock.now() };
    task.status = 'stopped';
    task.exit = exit;
    this.#closeOutput(id);
    this.emit({ type: 'exit', id, pid: task.pid, exit });
  }

  exitExec(id: string, execId: string, exitCode: number): void {
    this.emit({ type: 'exit', id, execId, pid: 0, exit: { exitCode, exitedAt: systemClock.now() } });
  }

  emit(event: RuntimeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #closeOutput(id: string): void {
    for (const fd of this.#writers.get(id)?.values() ?? []) closeSync(fd);
    this.#writers.delete(id);
  }

  check(id: string): void {
    this.#running(id);
  }

  #running(id: string): TaskInfo & { spec: TaskSpec } {
    const task = this.#task(id);
    if (!this.endsNow) return task;
    task.status = 'stopped';
    throw new NetyardError('conflict', `the process has ended: ${id}`);
  }

  #task(id: string): TaskInfo & { spec: TaskSpec } {
    const task = this.tasks.get(id);
    if (!task) throw new NetyardError('not-found', `no such task: ${id}`);
    return task;
  }
}
