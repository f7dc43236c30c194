/**
 * Network create and remove, as containers see them: stopped ones of a former network of this name keep their static
 * addresses. Networks of the cluster are created and removed on all of its hosts.
 */
import { isNetyardError, NetyardError } from '@netyard/core';
import {
  asClusterRequest,
  type ChangeNetworksDependencies,
  type ClusterNetwork,
  type ClusterNetworkProblem,
  checkClusterNetwork,
  checkRemove,
  createNetwork as createHostNetwork,
  removeNetwork as removeHostNetwork,
  setClusterNetworks as setHostNetworks,
  valuesOf,
  warnOfUnusedSubnets,
} from '@netyard/network';
import type {
  ClusterNetworks,
  CreateNetworkRequest,
  EndpointConfig,
  NetworkRecord,
  NetworkStore,
} from '../contract.ts';
import { networkOf, type Sandbox } from '../lookup.ts';
import { reserveStatic, type StaticAddressDependencies } from './static-addresses.ts';

/** Dependencies of the functions in this file. */
export interface ReserveDependencies extends StaticAddressDependencies {
  readonly store: NetworkStore;
}

export interface DropOwnerlessDependencies extends ReserveDependencies {
  readonly attached: ReadonlyMap<string, unknown>;
}

export interface CreateNetworkDependencies extends ChangeNetworksDependencies {
  readonly store: NetworkStore;
  readonly sandboxes: Map<string, Sandbox>;
}

export interface ClusterNetworksDependencies extends CreateNetworkDependencies {
  /** Undefined without a cluster. */
  readonly clusterNetworks: ClusterNetworks | undefined;
}

export async function createNetwork(
  context: ClusterNetworksDependencies,
  request: CreateNetworkRequest,
): Promise<{ id: string; warnings: string[] }> {
  const ofCluster = asClusterRequest(request);
  if (ofCluster) return { id: await createInCluster(context, ofCluster), warnings: warnOfUnusedSubnets(ofCluster) };
  const record = await createHostNetwork(context, request);
  reserveForStopped(context, record);
  return { id: record.id, warnings: warnOfUnusedSubnets(request) };
}

async function createInCluster(context: ClusterNetworksDependencies, request: CreateNetworkRequest): Promise<string> {
  const checked = await checkClusterNetwork(context, request);
  if (context.clusterNetworks) return context.clusterNetworks.create(checked);
  throw new NetyardError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    {
      hint: 'Netyard has no swarm: overlay networks need a cluster on etcd, see `netyard daemon --help` for --cluster',
    },
  );
}

/** A network of a cluster that this host is no member of any more is removed on this host only. */
export async function removeNetwork(context: ClusterNetworksDependencies, ref: string): Promise<NetworkRecord> {
  const record = networkOf(context, ref);
  if (record.cluster === undefined || !context.clusterNetworks) return removeHostNetwork(context, record.id);
  checkRemove(context, record);
  await context.clusterNetworks.remove(record.id);
  return record;
}

/** See `Networks.setClusterNetworks`. */
export async function setClusterNetworks(
  context: CreateNetworkDependencies,
  networks: readonly ClusterNetwork[],
): Promise<ClusterNetworkProblem[]> {
  const { problems, created } = await setHostNetworks(context, networks);
  for (const record of created) reserveForStopped(context, record);
  return problems;
}

/**
 * At the daemon's start: leases of containers that do not exist, or that neither have nor request the address, which nothing
 * else would free. The latter may be left by an earlier version that was killed while it removed a network from which a
 * container was just disconnected. What is attached besides containers has leases as well.
 */
export function dropOwnerless(context: DropOwnerlessDependencies): void {
  for (const record of context.networks.values())
    for (const { address, containerId } of context.store.leases(record.id)) {
      if (context.attached.has(containerId)) continue;
      const sandbox = context.sandboxes.get(containerId);
      if (sandbox && isHeld(sandbox, record, address)) continue;
      context.store.deleteLease(record.id, address);
      context.pools.get(record.id)?.free(address, containerId);
    }
}

const isHeld = ({ config, state }: Sandbox, { id, name }: NetworkRecord, address: string): boolean =>
  config.endpoints.some((one) => one.network === name && valuesOf(one.addresses).includes(address)) ||
  (state?.endpoints ?? []).some(
    (one) => one.networkId === id && valuesOf(one.addresses).some((own) => own.address === address),
  );

/**
 * At the daemon's start: a daemon that was killed between the creation of a network and the reservation of its addresses
 * left static addresses of stopped containers free.
 */
export function reserveUnheld(context: ReserveDependencies): void {
  for (const record of context.networks.values()) reserveForStopped(context, record);
}

/** Writes only what was not reserved before. */
function reserveForStopped(context: ReserveDependencies, record: NetworkRecord): void {
  for (const { config } of context.sandboxes.values()) {
    const endpoints = config.endpoints.filter(
      ({ network, addresses }) => network === record.name && isUnheld(context, record.id, addresses),
    );
    if (endpoints.length > 0) reserve(context, record, { ...config, endpoints });
  }
}

const isUnheld = ({ pools }: ReserveDependencies, networkId: string, addresses: EndpointConfig['addresses']): boolean =>
  valuesOf(addresses ?? {}).some((address) => pools.get(networkId)?.holder(address) === undefined);

/** An address that the new network does not have, or that another container has, is reported at the container's start. */
function reserve(context: ReserveDependencies, record: NetworkRecord, config: Sandbox['config']): void {
  try {
    const reserved = reserveStatic(context, config);
    context.store.transaction(() => {
      for (const { address } of reserved) context.store.putLease(record.id, address, config.containerId);
    });
  } catch (error) {
    if (!isNetyardError(error, 'invalid') && !isNetyardError(error, 'forbidden')) throw error;
  }
}
