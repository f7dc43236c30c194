/**
 * Health checks: run a command in the container at intervals and derive the container's health from the results. The
 * verdict is pure (`applyProbe`); the monitors hold the timers.
 */
import { type Clock, messageOf } from '@netyard/core';
import type { EngineCounters } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import { createExec, type ExecCreateDependencies } from '../exec/create.ts';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import { type ExecStartDependencies, launchExec } from '../exec/start.ts';
import type { ContainerRecord, ContainerState, Healthcheck, HealthResult } from '../model.ts';
import type { Runtime } from '../ports.ts';
import { SIGKILL } from '../processes/signals.ts';
import { type ContainerIndex, hasProcess } from '../records/container-index.ts';
import { withTimeLimit } from './waiters.ts';

/** What the functions of this file work on. */
export interface HealthcheckDependencies extends ExecCreateDependencies, ExecStartDependencies {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly execs: ExecRegistry;
}

type Health = NonNullable<ContainerState['health']>;

const defaults = { interval: 30_000_000_000, timeout: 30_000_000_000, startInterval: 5_000_000_000, retries: 3 };
const defaultShell: readonly string[] = ['/bin/sh', '-c'];
const maximumOutput = 4096;
const keptResults = 5;

export const initialHealth: Health = { status: 'starting', failingStreak: 0, log: [] };

/** Pure. @param startedAt of the container: failures within the start period do not count */
export function applyProbe(health: Health, result: HealthResult, check: Healthcheck, startedAt: bigint): Health {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const inStartPeriod = result.start - startedAt < BigInt(check.startPeriodNanoseconds);
  if (health.status === 'starting' && inStartPeriod) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  const failed = failingStreak >= (check.retries || defaults.retries);
  return { status: failed ? 'unhealthy' : health.status, failingStreak, log };
}

/** The command to run; undefined when there is no check. Pure. */
export function probeCommand(check: Healthcheck | undefined, shell: readonly string[]): string[] | undefined {
  const [kind, ...rest] = check?.test ?? [];
  if (rest.length === 0) return undefined;
  if (kind === 'CMD') return rest;
  return kind === 'CMD-SHELL' ? [...shell, ...rest] : undefined;
}

export class HealthMonitors {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #probe: (record: ContainerRecord, command: string[]) => Promise<HealthResult>;
  readonly #settle: (id: string, result: HealthResult) => Health['status'] | undefined;
  readonly #clock: Clock;
  #checks = 0;
  #failed = 0;

  constructor(
    clock: Clock,
    probe: (record: ContainerRecord, command: string[]) => Promise<HealthResult>,
    settle: (id: string, result: HealthResult) => Health['status'] | undefined,
  ) {
    this.#clock = clock;
    this.#probe = probe;
    this.#settle = settle;
  }

  get counters(): Pick<EngineCounters, 'healthChecks' | 'failedHealthChecks'> {
    return { healthChecks: this.#checks, failedHealthChecks: this.#failed };
  }

  /** Starts with a wait, as in Docker. */
  start(record: ContainerRecord): void {
    const check = record.config.healthcheck;
    const command = probeCommand(check, record.config.shell ?? defaultShell);
    if (!check || !command) return;
    const startedAt = record.state.startedAt ?? 0n;
    let status = record.state.health?.status ?? 'starting';
    const next = (): void => {
      this.stop(record.id);
      const milliseconds = Math.max(1, probeInterval(check, status, this.#clock.now() - startedAt) / 1e6);
      const timer = setTimeout(() => void run(), milliseconds);
      this.#timers.set(record.id, timer);
    };
    const run = async (): Promise<void> => {
      const mine = this.#timers.get(record.id);
      const result = await this.#probe(record, command);
      this.#checks += 1;
      if (result.exitCode !== 0) this.#failed += 1;
      if (this.#timers.get(record.id) !== mine) return; // stopped or restarted meanwhile
      status = this.#settle(record.id, result) ?? status;
      next();
    };
    next();
  }

  stop(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  stopAll(): void {
    for (const id of [...this.#timers.keys()]) this.stop(id);
  }
}

/**
 * Nanoseconds until the next check. As in Docker, the interval of the start period may be the longer one, and ends with the
 * first success. Pure.
 * @param age nanoseconds since the start of the container
 */
export function probeInterval(check: Healthcheck, status: Health['status'], age: bigint): number {
  const isStarting = status === 'starting' && age < BigInt(check.startPeriodNanoseconds);
  return isStarting
    ? check.startIntervalNanoseconds || defaults.startInterval
    : check.intervalNanoseconds || defaults.interval;
}

/** Formats a duration as Go does: `1.5s`, `1m0s`, `200ms`. Pure. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds < 1e6) return nanoseconds < 1e3 ? `${nanoseconds}ns` : `${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const minutes = Math.floor(nanoseconds / 60e9);
  const seconds = `${(nanoseconds - minutes * 60e9) / 1e9}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** The health state of a started container: none without a check. */
export function healthAtStart(record: ContainerRecord): Pick<ContainerState, 'health'> {
  return probeCommand(record.config.healthcheck, defaultShell) ? { health: initialHealth } : {};
}

/** Runs the check once; never throws: an error counts as a failed check. */
export async function runProbe(
  context: HealthcheckDependencies,
  record: ContainerRecord,
  command: string[],
): Promise<HealthResult> {
  const start = context.clock.now();
  const end = (exitCode: number, output: string): HealthResult => ({
    start,
    end: context.clock.now(),
    exitCode,
    output,
  });
  try {
    const exec = createExec(context, record.id, {
      command,
      env: [],
      user: '',
      workingDirectory: '',
      tty: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      privileged: false,
      detachKeys: '',
    });
    context.execs.claim(exec.id);
    const streams = { stdin: false, stdout: true, stderr: true };
    const running = await launchExec(context, record, exec, streams);
    const nanoseconds = record.config.healthcheck?.timeoutNanoseconds || defaults.timeout;
    const output = new ProbeOutput();
    const exit = await withTimeLimit(collect(running, output), nanoseconds / 1e6);
    const text = output.toString();
    if (exit) return end(exit.exitCode, text);
    await context.runtime.kill(record.id, SIGKILL, { execId: exec.id });
    const suffix = text === '' ? '' : `: ${text}`;
    return end(-1, `Health check exceeded timeout (${formatDuration(nanoseconds)})${suffix}`);
  } catch (error) {
    return end(-1, messageOf(error));
  }
}

/** Keeps the first 4096 bytes; `...` says that there were more, as in Docker. */
export class ProbeOutput {
  readonly #parts: Buffer[] = [];
  #size = 0;
  #isShortened = false;

  add(data: Uint8Array): void {
    const kept = data.subarray(0, maximumOutput - this.#size);
    if (kept.length < data.length) this.#isShortened = true;
    if (kept.length > 0) this.#parts.push(Buffer.from(kept));
    this.#size += kept.length;
  }

  toString(): string {
    return `${Buffer.concat(this.#parts).toString()}${this.#isShortened ? '...' : ''}`;
  }
}

async function collect(
  running: Awaited<ReturnType<typeof launchExec>>,
  output: ProbeOutput,
): Promise<Awaited<typeof running.ended>> {
  for await (const { data } of running.output) output.add(data);
  return running.ended;
}

/** In memory only: the next state change persists it, as in Docker. Returns the status; undefined without a process. */
export function recordProbe(
  context: HealthcheckDependencies,
  id: string,
  result: HealthResult,
): Health['status'] | undefined {
  const record = context.index.byId(id);
  const check = record?.config.healthcheck;
  if (!record || !check || !hasProcess(record)) return undefined;
  const before = record.state.health ?? initialHealth;
  const health = applyProbe(before, result, check, record.state.startedAt ?? 0n);
  const settled = context.index.putTransient({ ...record, state: { ...record.state, health } });
  if (health.status !== before.status) publishContainer(context.events, settled, `health_status: ${health.status}`);
  return health.status;
}
