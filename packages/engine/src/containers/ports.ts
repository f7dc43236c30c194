/** Publishes further ports of an existing container, and unpublishes them. Docker has nothing like it. */
import { type KeyedQueue, NetyardError } from '@netyard/core';
import { formatPortRequest, type PortRequest } from '@netyard/network';
import type { AddedPorts, Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord } from '../model.ts';
import type { ContainerIndex } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface PortsDependencies {
  readonly networks: Networks;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

export async function addPorts(
  context: PortsDependencies,
  ref: string,
  ports: readonly PortRequest[],
): Promise<AddedPorts> {
  return change(context, ref, 'publish', ports, ({ id }) => context.networks.addPorts(id, ports));
}

export async function removePorts(
  context: PortsDependencies,
  ref: string,
  ports: readonly PortRequest[],
): Promise<void> {
  await change(context, ref, 'unpublish', ports, ({ id }) => context.networks.removePorts(id, ports));
}

async function change<T>(
  { index, queue, events }: PortsDependencies,
  ref: string,
  action: 'publish' | 'unpublish',
  ports: readonly PortRequest[],
  work: (record: ContainerRecord) => Promise<T>,
): Promise<T> {
  const { id } = index.get(ref);
  return queue.run(id, async () => {
    const record = index.get(id);
    const { status } = record.state;
    if (status === 'removing' || status === 'dead')
      throw new NetyardError('conflict', `container is marked for removal and cannot ${action} ports`);
    const result = await work(record);
    publishContainer(events, record, action, { ports: ports.map(formatPortRequest).join(',') });
    return result;
  });
}
