/** Shows attached endpoints to the side that reconciles networks. */
import { messageOf } from '@netyard/core';
import type { Attached, Attachments } from '../attachments.ts';
import type { EndpointRecord } from '../contract.ts';
import { type AttachedDependencies, planOf, queueKey } from './attached.ts';
import { repairAttached } from './check.ts';

/** Without the namespace's path: it belongs to another program. */
const toAttached = ({ id, name, endpoint, ports }: EndpointRecord): Attached => ({
  ...{ id, name, ports },
  endpoints: [endpoint],
});

export function showEndpoints(context: () => AttachedDependencies): Attachments {
  return {
    ids: () => context().attached.keys(),
    running: () => [...context().attached.values()].map(toAttached),
    get(id) {
      const record = context().attached.get(id);
      return record && toAttached(record);
    },
    plan(id) {
      const record = context().attached.get(id);
      return record ? planOf(context(), record).objects : [];
    },
    repair: (id) => repairAttached(context(), id),
    async applyMtu(change) {
      const { queue, attached } = context();
      for (const { id, name } of [...attached.values()])
        await queue.run(queueKey(name), () => applyMtuOf({ ...context(), ...change }, id));
    },
  };
}

async function applyMtuOf(context: AttachedDependencies, id: string): Promise<void> {
  const record = context.attached.get(id);
  if (!record) return; // detached meanwhile
  const { name } = record;
  try {
    await context.kernel.apply({ owner: `endpoint ${name}`, objects: planOf(context, record).interfaces });
  } catch (error) {
    context.logger.error('the MTU of an endpoint could not be changed', { endpoint: name, error: messageOf(error) });
  }
}
