/**
 * Repairs what others change inside containers: links, addresses, routes and settings of the namespaces that Netyard set
 * up. The kernel reports that a namespace changed, once until it is observed (`Kernel.watchNamespaces`); it is compared
 * with the container's plan in the container's queue, so never while an operation changes it. `--sysctl` settings change
 * without a report: they are sampled.
 */

import type { KeyedQueue, Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NamespaceWatch, SysctlObject } from '@netyard/kernel';
import type { Sandbox } from '../lookup.ts';
import { planSysctls } from '../plan/sandbox.ts';
import { describe } from './describe.ts';
import { RepairPace } from './repair-pace.ts';
import type { RepairSandboxDependencies } from './repair-sandbox.ts';
import { isRepairedInside, repairInside } from './repair-sandbox.ts';

/** What the functions of this file work on. */
export interface InsideDependencies extends RepairSandboxDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly queue: KeyedQueue;
}

const sampleMilliseconds = 800;
/** Settings read at once; each costs some tens of microseconds. Those of further containers follow at the next time. */
const sampledAtOnce = 100;
/** A namespace that changes more often than this in ten seconds is observed once a second. */
const observationsInWindow = 50;
const firstRetryMilliseconds = 1000;
const longestRetryMilliseconds = 60_000;

/** A watched namespace. */
class Inside {
  readonly containerId: string;
  readonly path: string;
  /** `--sysctl` settings as they read after the start; desired from then on. */
  settings: ReadonlyMap<string, string> = new Map();
  readonly repairs = new RepairPace();
  readonly observations = new RepairPace(observationsInWindow);
  failures = 0;
  timer: NodeJS.Timeout | undefined;

  constructor(containerId: string, path: string) {
    this.containerId = containerId;
    this.path = path;
  }

  /** Milliseconds until the next observation. */
  delay(now: number): number {
    const retry = this.failures === 0 ? 0 : firstRetryMilliseconds * 2 ** Math.min(this.failures - 1, 16);
    return Math.max(this.repairs.delay(now), this.observations.delay(now), Math.min(retry, longestRetryMilliseconds));
  }
}

const none: ReadonlyMap<string, string> = new Map();

export class Insides {
  readonly #context: () => InsideDependencies;
  readonly #byContainer = new Map<string, Inside>();
  readonly #byPath = new Map<string, Inside>();
  readonly #work = new Set<Promise<void>>();
  #watch: NamespaceWatch | undefined;
  #sampler: NodeJS.Timeout | undefined;
  /** Containers whose settings were sampled in this round. */
  readonly #sampled = new Set<Inside>();

  constructor(context: () => InsideDependencies) {
    this.#context = context;
  }

  /** Before running containers are adopted, each of which is settled then. */
  start(): void {
    if (this.#watch) return;
    this.#watch = this.#context().kernel.watchNamespaces((path) => this.#noteChange(path));
    this.#sampler = setInterval(() => this.#track(this.#sampleSettings()), sampleMilliseconds);
    this.#sampler.unref();
  }

  /**
   * After a container's namespace was set up or is about to go, or somebody joined it. Never throws; a namespace that is
   * about to go is closed at once, for an open socket would keep it.
   */
  settle(containerId: string): void {
    if (!this.#watch) return;
    const sandbox = this.#context().sandboxes.get(containerId);
    const path = sandbox?.state?.netnsPath;
    const isDesired = sandbox !== undefined && isRepairedInside(this.#context(), sandbox);
    const before = this.#byContainer.get(containerId);
    if (before && (!isDesired || before.path !== path)) this.#forget(before);
    if (sandbox && path !== undefined && isDesired) this.#follow(sandbox, path, this.#watch);
  }

  /** `--sysctl` settings of a watched container as they read after its start. */
  settingsOf(containerId: string): ReadonlyMap<string, string> {
    return this.#byContainer.get(containerId)?.settings ?? none;
  }

  /** Waits until no repair is under way. */
  async close(): Promise<void> {
    clearInterval(this.#sampler);
    for (const inside of this.#byContainer.values()) clearTimeout(inside.timer);
    this.#byContainer.clear();
    this.#byPath.clear();
    this.#watch?.close();
    this.#watch = undefined;
    await Promise.all(this.#work);
  }

  #follow(sandbox: Sandbox, path: string, watch: NamespaceWatch): void {
    const { containerId, name } = sandbox.config;
    const inside = this.#byContainer.get(containerId) ?? new Inside(containerId, path);
    try {
      watch.add(path);
    } catch (error) {
      this.#context().logger.warn('changes inside a container will not be repaired', {
        container: name,
        error: messageOf(error),
      });
      return;
    }
    this.#byContainer.set(containerId, inside);
    this.#byPath.set(path, inside);
    const settings = planSysctls(sandbox.config, path);
    if (settings.length > 0) this.#track(this.#readSettings(inside, settings));
  }

  #forget(inside: Inside): void {
    clearTimeout(inside.timer);
    this.#watch?.remove(inside.path);
    this.#byContainer.delete(inside.containerId);
    this.#byPath.delete(inside.path);
    this.#sampled.delete(inside);
  }

  #noteChange(path: string): void {
    const inside = this.#byPath.get(path);
    if (inside) this.#schedule(inside);
  }

  #schedule(inside: Inside): void {
    if (inside.timer !== undefined) return;
    const now = performance.now();
    inside.observations.note([inside.path], now);
    inside.timer = setTimeout(() => {
      inside.timer = undefined;
      this.#track(this.#repair(inside));
    }, inside.delay(now));
  }

  /** Work that `close` waits for. Never throws. */
  #track(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) =>
        this.#context().logger.error('watching the inside of containers failed', { error: messageOf(error) }),
      )
      .finally(() => this.#work.delete(settled));
    this.#work.add(settled);
  }

  async #repair(inside: Inside): Promise<void> {
    const context = this.#context();
    await context.queue.run(inside.containerId, async () => {
      const sandbox = context.sandboxes.get(inside.containerId);
      if (!sandbox || this.#byContainer.get(inside.containerId) !== inside) return;
      try {
        this.#watch?.rearm(inside.path); // before the observation, so that no change is missed
        this.#noteRepair(inside, sandbox, await repairInside(context, sandbox));
        inside.failures = 0;
      } catch (error) {
        inside.failures += 1;
        const container = sandbox.config.name;
        context.logger.error('repairing the inside of a container failed', { container, error: messageOf(error) });
        if (this.#byContainer.get(inside.containerId) === inside) this.#schedule(inside);
      }
    });
  }

  /** One warning for a container, whatever is contested in it. */
  #noteRepair(inside: Inside, { config }: Sandbox, operations: readonly KernelOperation[]): void {
    const [first] = operations;
    if (!first || inside.repairs.note([inside.path], performance.now()).length === 0) return;
    this.#context().logger.warn('another program keeps undoing a repair: repairs are made once a second for now', {
      thing: `${describe(first.object)} inside container ${config.name}`,
    });
  }

  async #readSettings(inside: Inside, objects: readonly SysctlObject[]): Promise<void> {
    const { kernel } = this.#context();
    const values = await Promise.all(objects.map(({ key, ns }) => kernel.readSysctl(key, ns)));
    inside.settings = new Map(objects.map(({ key }, index) => [key, values[index] ?? '']));
  }

  /** So many settings at a time, of all containers in turn. */
  async #sampleSettings(): Promise<void> {
    const due: Inside[] = [];
    const objects: SysctlObject[] = [];
    const all = [...this.#byContainer.values()].filter(({ settings }) => settings.size > 0);
    if (all.every((inside) => this.#sampled.has(inside))) this.#sampled.clear();
    for (const inside of all) {
      if (this.#sampled.has(inside) || objects.length >= sampledAtOnce) continue;
      this.#sampled.add(inside);
      for (const [key, value] of inside.settings) {
        objects.push({ kind: 'sysctl', ns: inside.path, key, value });
        due.push(inside);
      }
    }
    const found = objects.length === 0 ? [] : await this.#context().kernel.observe(objects);
    found.forEach(({ state }, index) => {
      const inside = due[index];
      if (state !== 'present' && inside && this.#byPath.get(inside.path) === inside) this.#schedule(inside);
    });
  }
}
