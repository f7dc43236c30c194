/**
 * Addresses that containers request. As long as the container exists, no automatic address takes one (moby#49781).
 * Several containers may request the same one, since Compose creates a container's successor before it removes the
 * container: one of them holds it. A container that starts gets it from a stopped one.
 */
import { type NetworkPools, valuesOf } from '@netyard/network';
import type { EndpointConfig, NetworkRecord, NetworkStore, SandboxConfig } from '../contract.ts';
import { networkOf, type Sandbox } from '../lookup.ts';

/** Dependencies of the functions in this file. */
export interface StaticAddressDependencies {
  readonly networks: Map<string, NetworkRecord>;
  readonly pools: Map<string, NetworkPools>;
  readonly sandboxes: Map<string, Sandbox>;
}

interface StaticAddress {
  networkId: string;
  address: string;
}

type Request = Pick<SandboxConfig, 'containerId' | 'endpoints'>;

/**
 * Takes the requested addresses in memory, except those that other containers hold. Throws `forbidden` for one that no
 * container can get, such as the gateway's, with nothing taken.
 */
export function reserveStatic(context: StaticAddressDependencies, config: Request): StaticAddress[] {
  const { containerId } = config;
  const reserved: StaticAddress[] = [];
  try {
    for (const { networkId, address } of requestedAddresses(context, config.endpoints)) {
      const pools = context.pools.get(networkId);
      if (otherHolder(context, containerId, { networkId, address }) !== undefined) continue;
      pools?.take(address, containerId);
      reserved.push({ networkId, address });
    }
  } catch (error) {
    for (const { networkId, address } of reserved) context.pools.get(networkId)?.free(address, containerId);
    throw error;
  }
  return reserved;
}

/** Before a container gets its addresses: frees those that stopped containers hold, in memory. */
export function takeFromStopped(context: StaticAddressDependencies, { containerId, endpoints }: Request): void {
  for (const requested of requestedAddresses(context, endpoints)) {
    const holder = otherHolder(context, containerId, requested);
    if (holder && !holder.state)
      context.pools.get(requested.networkId)?.free(requested.address, holder.config.containerId);
  }
}

export interface StaticRelease extends StaticAddress {
  /** The container that gets the address instead. */
  heir: string | undefined;
}

/**
 * What a container's addresses become when it is removed or disconnected. Changes nothing. Memory decides: a start or connect
 * that took the address from this container and failed has not stored that, so this container's lease is still stored.
 */
export function planStaticRelease(context: StaticAddressDependencies, config: Request): StaticRelease[] {
  const { containerId } = config;
  const known = config.endpoints.filter(({ network }) => findNetwork(context, network));
  return requestedAddresses(context, known).flatMap((released) => {
    const pools = context.pools.get(released.networkId);
    if (pools?.poolOf(released.address) === undefined) return [];
    const holder = pools.holder(released.address);
    if (holder === undefined || holder === containerId)
      return [{ ...released, heir: findHeir(context, containerId, released) }];
    return context.sandboxes.has(holder) ? [{ ...released, heir: holder }] : [];
  });
}

/** Call inside a store transaction. */
export function storeStaticRelease(store: NetworkStore, released: readonly StaticRelease[]): void {
  for (const { networkId, address, heir } of released)
    if (heir === undefined) store.deleteLease(networkId, address);
    else store.putLease(networkId, address, heir);
}

export function applyStaticRelease(
  { pools }: Pick<StaticAddressDependencies, 'pools'>,
  containerId: string,
  released: readonly StaticRelease[],
): void {
  for (const { networkId, address, heir } of released) {
    pools.get(networkId)?.free(address, containerId);
    if (heir !== undefined) pools.get(networkId)?.take(address, heir);
  }
}

function requestedAddresses(context: StaticAddressDependencies, endpoints: readonly EndpointConfig[]): StaticAddress[] {
  return endpoints.flatMap(({ network, addresses }) =>
    valuesOf(addresses).map((address) => ({ networkId: networkOf(context, network).id, address })),
  );
}

/** Another container that holds the address. */
function otherHolder(
  { pools, sandboxes }: StaticAddressDependencies,
  containerId: string,
  { networkId, address }: StaticAddress,
): Sandbox | undefined {
  const holder = pools.get(networkId)?.holder(address);
  return holder === undefined || holder === containerId ? undefined : sandboxes.get(holder);
}

function findHeir(
  context: StaticAddressDependencies,
  containerId: string,
  { networkId, address }: StaticAddress,
): string | undefined {
  const name = context.networks.get(networkId)?.name;
  for (const [id, { config }] of context.sandboxes) {
    const requests = config.endpoints.some(
      ({ network, addresses }) => network === name && valuesOf(addresses).includes(address),
    );
    if (id !== containerId && requests) return id;
  }
  return undefined;
}

const findNetwork = ({ networks }: StaticAddressDependencies, name: string): NetworkRecord | undefined =>
  [...networks.values()].find((network) => network.name === name);
