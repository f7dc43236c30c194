/** Compares an attached endpoint with its plan, and repairs its side on the host. */
import { messageOf } from '@netyard/core';
import type { KernelObject, KernelOperation, Observation } from '@netyard/kernel';
import type { EndpointDrift, EndpointRecord } from '../contract.ts';
import { planHostSideRepair } from '../plan/namespace-repair.ts';
import { describe, describeRepair } from '../reconcile/describe.ts';
import { type AttachedDependencies, emitOf, inQueue, planOf, queueKey } from './attached.ts';
import { relayAttached } from './publish.ts';

export async function check(context: AttachedDependencies, ref: string): Promise<EndpointDrift[]> {
  return inQueue(context, ref, async (record) => {
    const namespace: KernelObject = { kind: 'netns', path: record.netnsPath };
    const isGone = !(await isPresent(context, namespace));
    if (isGone) return [{ object: namespace, state: 'absent', description: describe(namespace) }];
    const { objects } = planOf(context, record);
    const found = await context.kernel.observe(objects);
    return objects.flatMap((object, index) => toDrift(object, found[index]));
  });
}

const toDrift = (object: KernelObject, found: Observation | undefined): EndpointDrift[] =>
  found === undefined || found.state === 'present' ? [] : [{ object, ...found, description: describe(object) }];

async function isPresent({ kernel }: Pick<AttachedDependencies, 'kernel'>, object: KernelObject): Promise<boolean> {
  return (await kernel.observe([object]))[0]?.state === 'present';
}

/**
 * Repairs the objects on the host; a missing interface is created again with its addresses. Other changes inside the
 * namespace are its owner's. Does nothing when the namespace is gone. Returns the operations.
 */
export async function repairAttached(context: AttachedDependencies, id: string): Promise<KernelOperation[]> {
  const name = context.attached.get(id)?.name;
  if (name === undefined) return [];
  return context.queue.run(queueKey(name), async () => {
    const record = context.attached.get(id);
    if (!record || !(await isPresent(context, { kind: 'netns', path: record.netnsPath }))) return [];
    const { operations } = await context.kernel.apply({
      owner: `endpoint ${name}`,
      objects: await planRepair(context, record),
    });
    if (operations.length > 0) emitOf(context, 'repair', record, describeRepair(operations));
    return operations;
  });
}

async function planRepair(context: AttachedDependencies, record: EndpointRecord): Promise<KernelObject[]> {
  const { objects, interfaces } = planOf(context, record);
  const found = await context.kernel.observe(interfaces);
  const missing = interfaces.filter((_one, index) => found[index]?.state === 'absent');
  return planHostSideRepair(objects, record.netnsPath, missing);
}

/**
 * At the daemon's start: reserves the ports again and repairs the endpoints. A namespace that is gone is not reported:
 * `check` does, and the program that owns the endpoint detaches it.
 */
export async function adoptEndpoints(context: AttachedDependencies): Promise<void> {
  for (const record of context.attached.values()) {
    const { id, name, ports } = record;
    const report = (what: string, error: unknown): void =>
      context.logger.error(what, { endpoint: name, error: messageOf(error) });
    for (const port of ports) {
      const failure = context.ports.adopt(port, id);
      if (failure) report('a published port could not be reserved again', failure);
    }
    relayAttached(context, record, ports);
    try {
      await repairAttached(context, id);
    } catch (error) {
      report('an attached endpoint could not be repaired', error);
    }
  }
}
