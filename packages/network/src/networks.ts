/** Networks: the predefined ones, their use, and the rejection of creating and removing networks. */
import { NetyardError, newId } from '@netyard/core';
import type { Attachments } from './attachments.ts';
import type { CreateNetworkRequest, HostStore, IpamPool, NetworkRecord, NetworkUse } from './contract.ts';
import type { NetworkSpec } from './drivers/driver.ts';
import { findDriver } from './drivers/index.ts';
import { families } from './family.ts';
import type { NetworkPools } from './ipam/network-pools.ts';
import { networkOf } from './lookup.ts';

/** Dependencies of the functions in this file. */
export interface NetworksDependencies {
  readonly store: HostStore;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
}

const predefined: readonly { name: string; driver: string }[] = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
];

/** The records of predefined networks that do not exist yet. The bridge gets its subnet at start. */
export function missingNetworks(
  existing: readonly NetworkRecord[],
  bridgePool: IpamPool,
  bridgeOptions: Record<string, string>,
  now: bigint,
): NetworkRecord[] {
  return predefined
    .filter(({ name }) => !existing.some((record) => record.name === name))
    .map(({ name, driver }) => ({
      id: newId(),
      name,
      driver,
      created: now,
      ipam: { driver: 'default', v4: driver === 'bridge' ? [bridgePool] : [] },
      internal: false,
      attachable: false,
      options: driver === 'bridge' ? bridgeOptions : {},
      labels: {},
      predefined: true,
    }));
}

/** User-defined networks are not implemented; requests that Docker rejects are rejected with Docker's messages. */
export function rejectCreate(context: NetworksDependencies, request: CreateNetworkRequest): never {
  if (predefined.some(({ name }) => name === request.name) || request.name === 'default') {
    const message = `operation is not permitted on predefined ${request.name} network `;
    throw new NetyardError('forbidden', message);
  }
  if (request.name === '' || request.name.startsWith('container:'))
    throw new NetyardError('invalid', `invalid network name: ${request.name}`);
  if ([...context.networks.values()].some((record) => record.name === request.name))
    throw new NetyardError('conflict', `network with name ${request.name} already exists`);
  const [problem] = findDriver(request.driver)?.validate(specOf(request)) ?? [];
  if (problem) throw problem;
  throw new NetyardError('not-implemented', 'user-defined networks are not implemented yet', {
    hint: 'use the networks bridge, host and none, or --network container:NAME',
  });
}

const specOf = ({ ipam, internal = false, options = {} }: CreateNetworkRequest): NetworkSpec => ({
  ipam: { driver: 'default', ...(ipam ?? { v4: [] }) },
  internal,
  options,
});

export function rejectRemove(context: NetworksDependencies, ref: string): never {
  const record = networkOf(context, ref);
  throw new NetyardError('forbidden', `${record.name} is a pre-defined network and cannot be removed`);
}

/** Containers with an active endpoint in the network. */
export function usesOf(context: NetworksDependencies, networkId: string): NetworkUse[] {
  return context.attachments
    .running()
    .flatMap(({ id, name, endpoints }) =>
      endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ containerId: id, containerName: name, endpoint })),
    );
}

/** Fills the pools with the stored leases. Leases outside of the subnets (after their change) are skipped. */
export function loadLeases(context: NetworksDependencies, networkId: string, pools: NetworkPools): void {
  for (const { address, containerId } of context.store.leases(networkId)) {
    const pool = pools.poolOf(address);
    if (pool && pool.holder(address) === undefined) pool.take(address, containerId);
  }
  for (const family of families) pools.setCursor(context.store.cursor(networkId, family));
}
