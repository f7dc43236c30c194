/** Attaches a namespace given by path to a network, and detaches it. */
import { isAbsolute } from 'node:path';
import { messageOf, NetyardError, newId } from '@netyard/core';
import type { AttachRequest, EndpointConfig, EndpointRecord, NetworkRecord } from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { valuesOf } from '../family.ts';
import { networkOf } from '../lookup.ts';
import { createSegments, removeEmptySegments } from '../segments.ts';
import { allocateEndpoint, freeEndpoint, storeEndpoint } from './allocate.ts';
import { type AttachedDependencies, emitOf, findAttached, inQueue, planOf, queueKey } from './attached.ts';
import { flushUdpConntrack } from './ports.ts';
import { findSettingProblems, withCanonicalAddresses } from './validate.ts';

/** The longest interface name (IFNAMSIZ of linux/if.h). */
const longestLink = 15;

export async function attach(context: AttachedDependencies, request: AttachRequest): Promise<EndpointRecord> {
  return context.queue.run(queueKey(request.name), async () => {
    const network = checkRequest(context, request);
    await checkNamespace(context, request.netnsPath);
    const record = allocate(context, network, request);
    try {
      context.store.transaction(() => {
        context.store.putEndpoint(record);
        storeEndpoint(context, record.id, record.endpoint);
      });
      await createSegments(context, [record.endpoint]);
      await context.kernel.apply({ owner: `endpoint ${record.name}`, objects: planOf(context, record).objects });
    } catch (error) {
      await rollBack(context, record);
      throw error;
    }
    emitOf(context, 'connect', record);
    return record;
  });
}

function checkRequest(context: AttachedDependencies, request: AttachRequest): NetworkRecord {
  const { name, link = 'eth0' } = request;
  const network = networkOf(context, request.network);
  if (name === '') throw new NetyardError('invalid', 'an endpoint needs a name');
  if (findAttached(context, name))
    throw new NetyardError('conflict', `endpoint with name ${name} already exists in network ${network.name}`);
  if (!/^[^\s/:]+$/.test(link) || link.length > longestLink || link === 'lo' || link.startsWith('.'))
    throw new NetyardError('invalid', `invalid interface name: ${link}`);
  const pools = context.pools.get(network.id);
  if (!driverOf(network).capabilities.addresses || !pools)
    throw new NetyardError('forbidden', `namespaces cannot be attached to network ${network.name}`);
  const problems = findSettingProblems(configOf(network, request), pools);
  if (problems.length > 0) throw new NetyardError('invalid', `invalid endpoint settings:\n${problems.join('\n')}`);
  return network;
}

async function checkNamespace({ kernel }: AttachedDependencies, path: string): Promise<void> {
  if (!isAbsolute(path)) throw new NetyardError('invalid', `invalid netns path ${JSON.stringify(path)}`);
  const [found] = await kernel.observe([{ kind: 'netns', path }]);
  if (found?.state !== 'present') throw new NetyardError('not-found', `network namespace ${path} does not exist`);
}

const configOf = ({ name }: NetworkRecord, { addresses, macAddress }: AttachRequest): EndpointConfig => ({
  network: name,
  ...(addresses === undefined ? {} : withCanonicalAddresses({ addresses })),
  ...(macAddress === undefined ? {} : { macAddress }),
});

/** Synchronous, so that concurrent operations cannot interleave. */
function allocate(context: AttachedDependencies, network: NetworkRecord, request: AttachRequest): EndpointRecord {
  const id = newId();
  const config = configOf(network, request);
  const endpoint = allocateEndpoint(context, { id, ownerId: id, config, link: request.link ?? 'eth0', names: [] });
  const { name, netnsPath, defaultRoute = true } = request;
  const record = { id, name, netnsPath, defaultRoute, endpoint, ports: [], created: context.clock.now() };
  context.attached.set(id, record);
  return record;
}

async function rollBack(context: AttachedDependencies, record: EndpointRecord): Promise<void> {
  try {
    await remove(context, record);
  } catch (error) {
    context.logger.error('rolling back an endpoint failed', { endpoint: record.name, error: messageOf(error) });
  }
}

export async function detach(context: AttachedDependencies, ref: string): Promise<void> {
  await inQueue(context, ref, async (record) => {
    await remove(context, record);
    emitOf(context, 'disconnect', record);
  });
}

/** What could not be deleted is found as an orphan at the next start. */
async function remove(context: AttachedDependencies, record: EndpointRecord): Promise<void> {
  const { removal } = planOf(context, record);
  context.ownDeletion();
  if (record.endpoint.hostLink !== '') context.linkDeletions.expect(record.endpoint.hostLink);
  try {
    await context.kernel.remove({ owner: `endpoint ${record.name}`, objects: removal });
  } finally {
    free(context, record);
  }
  await removeEmptySegments(context, [record.endpoint]);
  await flushUdpConntrack(context, record.ports);
}

/** Unlike a container's, requested addresses are released as well: the endpoint is deleted. */
function free(context: AttachedDependencies, record: EndpointRecord): void {
  const { id, endpoint } = record;
  const pools = context.pools.get(endpoint.networkId);
  for (const port of record.ports) context.ports.release(port, id);
  freeEndpoint(context, id, endpoint);
  for (const { address } of valuesOf(endpoint.addresses)) pools?.free(address, id);
  context.attached.delete(id);
  context.store.transaction(() => {
    context.store.deleteEndpoint(id);
    for (const { address } of valuesOf(endpoint.addresses)) context.store.deleteLease(endpoint.networkId, address);
  });
}
