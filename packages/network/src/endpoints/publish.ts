/** Publishes ports of an attached endpoint on the host, and withdraws them. */
import { NetyardError } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { EndpointRecord, PortRequest, PublishedPort } from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { bridgeOf, networkOf } from '../lookup.ts';
import type { BridgeSettings } from '../model.ts';
import { checkPortRequest, resolvePortRequests } from '../ports/choose.ts';
import { type AttachedDependencies, inQueue, planOf } from './attached.ts';
import { flushUdpConntrack, reservePorts } from './ports.ts';

export async function publish(
  context: AttachedDependencies,
  ref: string,
  request: PortRequest,
): Promise<PublishedPort> {
  checkPortRequest(request);
  return inQueue(context, ref, async (before) => {
    const network = networkOf(context, before.endpoint.networkId);
    const bridge = bridgeOf(context, network.id);
    const canPublish = driverOf(network).capabilities.ports && bridge !== undefined && !bridge.internal;
    if (!canPublish || before.endpoint.addresses.v4 === undefined)
      throw new NetyardError('forbidden', `ports cannot be published on network ${network.name}`);
    const added = reserve(context, before, bridge, request);
    const after = { ...before, ports: [...before.ports, added] };
    try {
      save(context, after);
      const objects = planOf(context, after).ports;
      await context.kernel.apply({ owner: `endpoint ${after.name}`, objects });
    } catch (error) {
      context.ports.release(added, before.id);
      save(context, before);
      throw error;
    }
    await flushUdpConntrack(context, [added]);
    return added;
  });
}

function reserve(
  context: AttachedDependencies,
  { id, name }: EndpointRecord,
  bridge: BridgeSettings,
  request: PortRequest,
): PublishedPort {
  const reserved: PublishedPort[] = [];
  reservePorts(context, { id, name, endpointId: id }, bridge, reserved, (defaultHostAddress) =>
    resolvePortRequests([request], [], false, defaultHostAddress),
  );
  const [port] = reserved;
  if (port) return port;
  throw new NetyardError('internal', `no port was reserved for endpoint ${name}`);
}

export async function unpublish(context: AttachedDependencies, ref: string, port: PublishedPort): Promise<void> {
  await inQueue(context, ref, async (before) => {
    const found = before.ports.find((candidate) => isSame(candidate, port));
    if (!found) {
      const text = `${port.hostAddress}:${port.hostPort}->${port.containerPort}/${port.protocol}`;
      throw new NetyardError('not-found', `endpoint ${before.name} has not published ${text}`);
    }
    const after = { ...before, ports: before.ports.filter((other) => other !== found) };
    const objects = difference(planOf(context, before).ports, planOf(context, after).ports);
    save(context, after);
    context.ownDeletion();
    await context.kernel.remove({ owner: `endpoint ${after.name}`, objects });
    context.ports.release(found, before.id);
    await flushUdpConntrack(context, [found]);
  });
}

const isSame = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol &&
  a.hostAddress === b.hostAddress &&
  a.hostPort === b.hostPort &&
  a.containerPort === b.containerPort;

const keyOf = ({ family, set, key }: NftElementObject): string => `${family} ${set} ${key}`;

function difference(before: readonly NftElementObject[], after: readonly NftElementObject[]): NftElementObject[] {
  const kept = new Set(after.map(keyOf));
  return before.filter((element) => !kept.has(keyOf(element)));
}

function save(context: AttachedDependencies, record: EndpointRecord): void {
  context.attached.set(record.id, record);
  context.store.putEndpoint(record);
}
