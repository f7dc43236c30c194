/** Publishes ports of an attached endpoint on the host, and withdraws them. */
import { NetyardError } from '@netyard/core';
import type { EndpointRecord, PortRequest, PublishedPort } from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { perFamily } from '../family.ts';
import { bridgeOf, networkOf } from '../lookup.ts';
import type { BridgeSettings } from '../model.ts';
import { publishWays } from '../ports/bindings.ts';
import { checkPortRequest } from '../ports/choose.ts';
import { type AttachedDependencies, inQueue, planOf } from './attached.ts';
import { type PortOwner, publishPortsOf, withdrawPortsOf } from './port-change.ts';
import { relayPorts, reservePorts } from './ports.ts';

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
    return publishPortsOf(context, ownerOf(context, before), before, {
      reserve: (added) => reserve(context, before, bridge, added, request),
      recordWith: (added) => ({ ...before, ports: [...before.ports, ...added] }),
      relay: (added) => relayAttached(context, before, added),
    });
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
    await withdrawPortsOf(context, ownerOf(context, before), before, after, [found]);
  });
}

const isSame = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol &&
  a.hostAddress === b.hostAddress &&
  a.hostPort === b.hostPort &&
  a.containerPort === b.containerPort;

const ownerOf = (context: AttachedDependencies, { id, name }: EndpointRecord): PortOwner<EndpointRecord> => ({
  id,
  name: `endpoint ${name}`,
  save(record) {
    context.attached.set(id, record);
    context.store.putEndpoint(record);
  },
  elementsOf: (record) => planOf(context, record).ports,
});
