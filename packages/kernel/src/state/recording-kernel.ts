/**
 * A kernel that records operations instead of performing them, so that a dry run executes the same code as the operation
 * itself. Observations are real, changed by what was recorded before.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ApplyOptions, ApplyReport, Kernel } from '../contract.ts';
import type { KernelObject, KernelOperation, KernelPlan, Observation, RouteObject } from '../desired.ts';
import { identityOf } from '../system/identity.ts';
import { Dependencies, independentObjects } from './dependencies.ts';
import { diff, diffRemoval } from './diff.ts';

/** All methods that change the kernel. `reservePort` does, too, but the caller closes the reservation. */
type Changes = Pick<Kernel, 'observe' | 'apply' | 'remove' | 'flushConntrack' | 'flushConntrackOf' | 'holdTables'>;

/** `operations` grows with each call of `apply` and `remove`. Closing the returned kernel is not necessary. */
export function recordKernel(kernel: Kernel): { kernel: Kernel; operations: readonly KernelOperation[] } {
  const recorder = new Recorder(kernel);
  const changes: Changes & Pick<Kernel, 'close'> = {
    observe: (objects) => recorder.observe(objects),
    apply: (plan, options) => recorder.apply(plan, options),
    remove: (plan, options) => recorder.remove(plan, options),
    flushConntrack: async () => undefined,
    flushConntrackOf: async () => undefined,
    holdTables: async () => ({ close: () => undefined }),
    close: () => undefined,
  };
  const recording = new Proxy(kernel, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { kernel: recording, operations: recorder.operations };
}

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
