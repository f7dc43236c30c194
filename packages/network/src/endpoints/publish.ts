/** Publishes ports of an attached endpoint on the host, and withdraws them. */
import { NetyardError } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { EndpointRecord, PortRequest, PublishedPort } from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { perFamily } from '../family.ts';
import { bridgeOf, networkOf } from '../lookup.ts';
import type { BridgeSettings } from '../model.ts';
import { publishWays } from '../ports/bindings.ts';
import { checkPortRequest } from '../ports/choose.ts';
import { type AttachedDependencies, inQueue, planOf } from './attached.ts';
import { flushUdpConntrack, relayPorts, reservePorts } from './ports.ts';

export async function publish(
  context: AttachedDependencies,
  ref: string,
  request: PortRequest,
): Promise<PublishedPort[]> {
  checkPortRequest(request);
  return inQueue(context, ref, async (before) => {
    const network = networkOf(context, before.endpoint.networkId);
    const bridge = bridgeOf(context, network.id);
    const canPublish = driverOf(network).capabilities.ports && bridge !== undefined && !bridge.internal;
    if (!canPublish) throw new NetyardError('forbidden', `ports cannot be published on network ${network.name}`);
    const added: PublishedPort[] = [];
    try {
      reserve(context, before, bridge, added, request);
      const after = { ...before, ports: [...before.ports, ...added] };
      save(context, after);
      const objects = planOf(context, after).ports;
      await context.kernel.apply({ owner: `endpoint ${after.name}`, objects });
    } catch (error) {
      for (const port of added) context.ports.release(port, before.id);
      save(context, before);
      throw error;
    }
    await flushUdpConntrack(context, added);
    relayAttached(context, before, added);
    return added;
  });
}

/** Its default route, if it has one, leads to the network: the endpoint is the gateway of the network's families. */
function reserve(
  context: AttachedDependencies,
  { id, name, endpoint: { addresses } }: EndpointRecord,
  bridge: BridgeSettings,
  reserved: PublishedPort[],
  request: PortRequest,
): void {
  const ways = publishWays(perFamily((family) => (addresses[family] === undefined ? undefined : bridge)));
  reservePorts(context, { id, name, endpointId: id }, ways, reserved, [request]);
}

export function relayAttached(
  context: Pick<AttachedDependencies, 'ports' | 'networks'>,
  { id, endpoint }: EndpointRecord,
  ports: readonly PublishedPort[],
): void {
  relayPorts(
    context,
    id,
    ports,
    perFamily((family) => endpoint.addresses[family]?.address),
  );
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
