/**
 * Repairs changes made by other programs inside containers: interfaces, addresses, routes and sysctls of the namespaces
 * that Netyard set up. The kernel package reports the first change of a namespace after each observation
 * (`Kernel.watchNamespaces`): at once, or after its next sample where very many are watched. The namespace is then compared with the container's plan, inside the container's queue, so
 * never during another operation. Changes of `--sysctl` settings are not reported by the kernel: they are sampled.
 */

import { type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NamespaceWatch, SysctlObject } from '@netyard/kernel';
import { describe, RepairPace } from '@netyard/network';
import type { Sandbox } from '../lookup.ts';
import { planSysctls } from '../plan/sandbox.ts';
import { emitRepair, isNamespaceRepaired, type RepairSandboxDependencies, repairNamespace } from './repair-sandbox.ts';

/** Dependencies of the functions in this file. */
export interface NamespaceReconcilerDependencies extends RepairSandboxDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly queue: KeyedQueue;
}

const sampleMilliseconds = 800;
/** Settings read per sample; each read costs some tens of microseconds. Further containers follow in the next samples. */
const sampledAtOnce = 100;
/** A namespace that changes more often than this in ten seconds is observed only once a second. */
const observationsInWindow = 50;
const firstRetryMilliseconds = 1000;
const longestRetryMilliseconds = 60_000;

/** A watched namespace. */
class WatchedNamespace {
  readonly containerId: string;
  readonly path: string;
  /** `--sysctl` settings as read after the start; the desired values from then on. */
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
const ignore = (): void => undefined;

export class NamespaceReconciler {
  readonly #context: () => NamespaceReconcilerDependencies;
  readonly #byContainer = new Map<string, WatchedNamespace>();
  readonly #byPath = new Map<string, WatchedNamespace>();
  readonly #work = new Set<Promise<void>>();
  #watch: NamespaceWatch | undefined;
  #sampler: NodeJS.Timeout | undefined;
  /** Namespaces whose settings were sampled in the current cycle over all containers. */
  readonly #sampled = new Set<WatchedNamespace>();

  constructor(context: () => NamespaceReconcilerDependencies) {
    this.#context = context;
  }

  /** Called before running containers are adopted; `updateWatch` is then called for each. */
  start(): void {
    if (this.#watch) return;
    this.#watch = this.#context().kernel.watchNamespaces((path) => this.#noteChange(path));
    this.#sampler = setInterval(() => this.#track(this.#sampleSettings()), sampleMilliseconds);
    this.#sampler.unref();
  }

  /**
   * Starts or stops watching a container's namespace. Called after the namespace was set up or joined, and before it is
   * deleted: its socket is then closed at once, since an open socket would keep the namespace alive. Never throws.
   */
  updateWatch(containerId: string): void {
    if (!this.#watch) return;
    const sandbox = this.#context().sandboxes.get(containerId);
    const path = sandbox?.state?.netnsPath;
    const isDesired = sandbox !== undefined && isNamespaceRepaired(this.#context(), sandbox);
    const before = this.#byContainer.get(containerId);
    if (before && (!isDesired || before.path !== path)) this.#unwatch(before);
    if (sandbox && path !== undefined && isDesired) this.#addWatch(sandbox, path, this.#watch);
  }

  /** See `Networks.holdWatch`. A container that joined another one's namespace holds that one's. */
  holdWatch(containerId: string): () => void {
    const path = this.#context().sandboxes.get(containerId)?.state?.netnsPath;
    return (path === undefined ? undefined : this.#watch?.hold(path)) ?? ignore;
  }

  /** `--sysctl` settings of a watched container as they read after its start. */
  settingsOf(containerId: string): ReadonlyMap<string, string> {
    return this.#byContainer.get(containerId)?.settings ?? none;
  }

  /** Waits for repairs in progress. */
  async close(): Promise<void> {
    clearInterval(this.#sampler);
    for (const namespace of this.#byContainer.values()) clearTimeout(namespace.timer);
    this.#byContainer.clear();
    this.#byPath.clear();
    this.#watch?.close();
    this.#watch = undefined;
    await Promise.all(this.#work);
  }

  #addWatch(sandbox: Sandbox, path: string, watch: NamespaceWatch): void {
    const { containerId, name } = sandbox.config;
    const namespace = this.#byContainer.get(containerId) ?? new WatchedNamespace(containerId, path);
    try {
      watch.add(path);
    } catch (error) {
      this.#context().logger.warn('changes inside a container will not be repaired', {
        container: name,
        error: messageOf(error),
      });
      return;
    }
    this.#byContainer.set(containerId, namespace);
    this.#byPath.set(path, namespace);
    const settings = planSysctls(sandbox.config, path);
    if (settings.length > 0) this.#track(this.#readSettings(namespace, settings));
  }

  #unwatch(namespace: WatchedNamespace): void {
    clearTimeout(namespace.timer);
    this.#watch?.remove(namespace.path);
    this.#byContainer.delete(namespace.containerId);
    this.#byPath.delete(namespace.path);
    this.#sampled.delete(namespace);
  }

  #noteChange(path: string): void {
    const namespace = this.#byPath.get(path);
    if (namespace) this.#schedule(namespace);
  }

  #schedule(namespace: WatchedNamespace): void {
    if (namespace.timer !== undefined) return;
    const now = performance.now();
    namespace.observations.note([namespace.path], now);
    namespace.timer = setTimeout(() => {
      namespace.timer = undefined;
      this.#track(this.#repair(namespace));
    }, namespace.delay(now));
  }

  /** Registers work that `close` waits for. Never throws. */
  #track(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) =>
        this.#context().logger.error('watching container namespaces failed', { error: messageOf(error) }),
      )
      .finally(() => this.#work.delete(settled));
    this.#work.add(settled);
  }

  async #repair(namespace: WatchedNamespace): Promise<void> {
    const context = this.#context();
    await context.queue.run(namespace.containerId, async () => {
      const sandbox = context.sandboxes.get(namespace.containerId);
      if (!sandbox || this.#byContainer.get(namespace.containerId) !== namespace) return;
      try {
        this.#watch?.rearm(namespace.path); // before the observation, so that no change is missed
        this.#noteRepair(namespace, sandbox, await repairNamespace(context, sandbox));
        namespace.failures = 0;
      } catch (error) {
        namespace.failures += 1;
        const container = sandbox.config.name;
        context.logger.error('repairing a container namespace failed', { container, error: messageOf(error) });
        emitRepair(context, sandbox, { action: 'repair-failed', detail: messageOf(error) });
        if (this.#byContainer.get(namespace.containerId) === namespace) this.#schedule(namespace);
      }
    });
  }

  /** Warns once per container, whichever object is contested. */
  #noteRepair(namespace: WatchedNamespace, { config }: Sandbox, operations: readonly KernelOperation[]): void {
    const [first] = operations;
    if (!first || namespace.repairs.note([namespace.path], performance.now()).length === 0) return;
    this.#context().logger.warn('another program keeps undoing a repair: repairing at most once a second for now', {
      object: `${describe(first.object)} inside container ${config.name}`,
    });
  }

  async #readSettings(namespace: WatchedNamespace, objects: readonly SysctlObject[]): Promise<void> {
    const { kernel } = this.#context();
    const values = await Promise.all(objects.map(({ key, ns }) => kernel.readSysctl(key, ns)));
    namespace.settings = new Map(objects.map(({ key }, index) => [key, values[index] ?? '']));
  }

  /** Samples a limited number of settings per call, round-robin over all containers. */
  async #sampleSettings(): Promise<void> {
    const due: WatchedNamespace[] = [];
    const objects: SysctlObject[] = [];
    const all = [...this.#byContainer.values()].filter(({ settings }) => settings.size > 0);
    if (all.every((namespace) => this.#sampled.has(namespace))) this.#sampled.clear();
    for (const namespace of all) {
      if (this.#sampled.has(namespace) || objects.length >= sampledAtOnce) continue;
      this.#sampled.add(namespace);
      for (const [key, value] of namespace.settings) {
        objects.push({ kind: 'sysctl', ns: namespace.path, key, value });
        due.push(namespace);
      }
    }
    const found = objects.length === 0 ? [] : await this.#context().kernel.observe(objects);
    found.forEach(({ state }, index) => {
      const namespace = due[index];
      if (state !== 'present' && namespace && this.#byPath.get(namespace.path) === namespace) this.#schedule(namespace);
    });
  }
}
