/**
 * A kernel that records operations instead of performing them, so that a dry run executes the same code as the operation
 * itself. Observations are real, changed by what was recorded before.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ApplyOptions, ApplyReport, FileEdit, Kernel } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan, Observation, RouteObject } from '../desired.ts';
import { identityOf } from '../system/identity.ts';
import { Dependencies, independentObjects } from './dependencies.ts';
import { diff, diffRemoval } from './diff.ts';
import { editAsPlan } from './edit-as-plan.ts';

/**
 * `operations` grows with each call of `apply` and `remove`. Closing the returned kernel is not necessary. Each method is
 * listed, so that a new one cannot change the kernel in a dry run unnoticed.
 */
export function recordKernel(kernel: Kernel): { kernel: Kernel; operations: readonly KernelOperation[] } {
  const recorder = new Recorder(kernel);
  const recording: Kernel = {
    observe: (objects) => recorder.observe(objects),
    apply: (plan, options) => recorder.apply(plan, options),
    remove: (plan, options) => recorder.remove(plan, options),
    editFile: (path, limit, edit) => recorder.editFile(path, limit, edit),
    flushConntrack: async () => undefined,
    flushConntrackOf: async () => undefined,
    holdTables: async () => ({
      replace: async () => undefined,
      change: async () => undefined,
      close: () => undefined,
    }),
    reservePort(protocol, address, port) {
      kernel.reservePort(protocol, address, port).close();
      return { protocol, address, port, relay: () => undefined, close: () => undefined };
    },
    close: () => undefined,
    ...readsOf(kernel),
  };
  return { kernel: recording, operations: recorder.operations };
}

type Reads = Omit<
  Kernel,
  | ('observe' | 'apply' | 'remove' | 'editFile' | 'close')
  | ('flushConntrack' | 'flushConntrackOf' | 'holdTables' | 'reservePort')
>;

/** The methods that change nothing. */
const readsOf = (kernel: Kernel): Reads => ({
  listLinks: (ns) => kernel.listLinks(ns),
  listAddresses: (ns) => kernel.listAddresses(ns),
  listRoutes: (ns) => kernel.listRoutes(ns),
  listNeighbours: (link, ns) => kernel.listNeighbours(link, ns),
  listNeighbourProxies: () => kernel.listNeighbourProxies(),
  listFdb: (link, ns) => kernel.listFdb(link, ns),
  linkStatistics: (link, ns) => kernel.linkStatistics(link, ns),
  listLinkStatistics: () => kernel.listLinkStatistics(),
  supportsLinkKind: (kind) => kernel.supportsLinkKind(kind),
  readSysctl: (key, ns) => kernel.readSysctl(key, ns),
  listNftElements: (table) => kernel.listNftElements(table),
  listNftBaseChains: (hook, families) => kernel.listNftBaseChains(hook, families),
  listNftChain: (name) => kernel.listNftChain(name),
  canHoldTables: () => kernel.canHoldTables(),
  watch: (signal) => kernel.watch(signal),
  watchChanges: (signal) => kernel.watchChanges(signal),
  watchNamespaces: (report) => kernel.watchNamespaces(report),
  announceAddresses: () => undefined,
  capture: (request) => kernel.capture(request),
});

/** linux/rtnetlink.h RT_TABLE_MAIN. */
const mainTable = 254;

const isSame = (observed: string, to: string): boolean =>
  observed === to || (to === 'default' && ['0.0.0.0/0', '::/0'].includes(observed));

class Recorder {
  readonly operations: KernelOperation[] = [];
  readonly #kernel: Kernel;
  /** The last operation on each object. */
  readonly #last = new Map<string, KernelOperation>();
  readonly #deleted = new Dependencies();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async observe(objects: readonly KernelObject[]): Promise<Observation[]> {
    const observations = await this.#kernel.observe(objects);
    const result: Observation[] = [];
    for (const [index, object] of objects.entries()) {
      const found = observations[index] ?? { state: 'absent' };
      const isGone = object.kind === 'route' && found.state === 'different' && (await this.#isDeleted(object));
      result.push(this.#afterOperations(object, isGone ? { state: 'absent' } : found));
    }
    return result;
  }

  /** Whether the existing route, which differs from the desired one, uses a deleted link. */
  async #isDeleted({ ns, to, table = mainTable, metric = 0 }: RouteObject): Promise<boolean> {
    const routes = await this.#kernel.listRoutes(ns);
    const current = routes.filter((route) => (route.table ?? mainTable) === table && (route.metric ?? 0) === metric);
    const link = current.find((route) => isSame(route.to, to))?.link;
    if (link === undefined) return false;
    return this.#deleted.isDependencyOf({ kind: 'route', to, link, ...(ns === undefined ? {} : { ns }) });
  }

  #afterOperations(object: KernelObject, found: Observation): Observation {
    const last = this.#last.get(identityOf(object));
    if (last === undefined) return this.#deleted.isDependencyOf(object) ? { state: 'absent' } : found;
    if (last.action === 'delete') return { state: 'absent' };
    return isDeepStrictEqual(last.object, object)
      ? { state: 'present' }
      : { state: 'different', found: 'as planned before' };
  }

  async apply({ objects }: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    return this.#record(diff(objects, await this.observe(objects)), options);
  }

  async remove(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    const objects = independentObjects(plan.objects);
    return this.#record(diffRemoval(objects, await this.observe(objects)), options);
  }

  async editFile(path: string, limit: number, edit: (text: string) => string): Promise<FileEdit> {
    return editAsPlan({ path, limit, edit }, (plan) => this.apply(plan));
  }

  #record(operations: KernelOperation[], { dryRun = false }: ApplyOptions): ApplyReport {
    if (dryRun) return { operations };
    for (const operation of operations) {
      this.operations.push(operation);
      this.#last.set(identityOf(operation.object), operation);
      if (operation.action === 'delete') this.#deleted.add(operation.object);
    }
    return { operations };
  }
}
