/** Removes a user-defined network: its kernel objects, addresses and record. */
import { messageOf, NetyardError, shortId } from '@netyard/core';
import type { NetworkRecord } from '../contract.ts';
import { networkOf, plannerOf } from '../lookup.ts';
import { usesOf } from '../networks.ts';
import { checkUnused } from './config-networks.ts';
import {
  type ChangeNetworksDependencies,
  emitNetwork,
  followBridges,
  networkQueueKey,
  removeObjects,
} from './create.ts';

/** Stopped containers keep the network's name: they find a new network of that name at their next start. */
export async function removeNetwork(context: ChangeNetworksDependencies, ref: string): Promise<NetworkRecord> {
  const { id, name } = networkOf(context, ref);
  return context.queue.run(networkQueueKey(name), async () => {
    const record = networkOf(context, id);
    checkRemove(context, record);
    await unset(context, record);
    emitNetwork(context, 'destroy', record);
    return record;
  });
}

/** Throws `forbidden` for a predefined network and for one that is in use on this host. */
export function checkRemove(context: ChangeNetworksDependencies, record: NetworkRecord): void {
  const { id, name, predefined } = record;
  if (predefined) throw new NetyardError('forbidden', `${name} is a pre-defined network and cannot be removed`);
  checkUnused(context.networks, record);
  const uses = usesOf(context, id);
  if (uses.length === 0) return;
  const list = uses.map((use) => `name:${JSON.stringify(use.containerName)} id:"${shortId(use.endpoint.id)}"`);
  const message = `error while removing network: network ${name} has active endpoints (${list.join(', ')})`;
  throw new NetyardError('forbidden', message);
}

/** From the check to the removal in memory nothing is awaited, so that no container can start on the network meanwhile. */
async function unset(context: ChangeNetworksDependencies, record: NetworkRecord): Promise<void> {
  const pools = context.pools.get(record.id);
  context.networks.delete(record.id);
  context.pools.delete(record.id);
  try {
    await removeObjects(context, record);
    context.store.transaction(() => {
      for (const { address } of context.store.leases(record.id)) context.store.deleteLease(record.id, address);
      context.store.deleteNetwork(record.id);
    });
  } catch (error) {
    context.networks.set(record.id, record);
    if (pools) context.pools.set(record.id, pools);
    await restore(context, record);
    throw error;
  }
  await followBridges(context);
}

/** A failure is logged: the reconciler repairs the network. */
async function restore(context: ChangeNetworksDependencies, record: NetworkRecord): Promise<void> {
  try {
    const objects = plannerOf(context, record.id)?.planNetwork(context.facts) ?? [];
    await context.kernel.apply({ owner: `network ${record.name}`, objects });
  } catch (error) {
    context.logger.error('a network that could not be removed could not be restored', {
      network: record.name,
      error: messageOf(error),
    });
  }
}
