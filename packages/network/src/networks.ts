/** What uses a network: its active endpoints, and the leases of its addresses. */
import type { Attachments } from './attachments.ts';
import type { HostStore, NetworkRecord, NetworkUse } from './contract.ts';
import { families } from './family.ts';
import type { NetworkPools } from './ipam/network-pools.ts';

/** Dependencies of the functions in this file. */
export interface NetworksDependencies {
  readonly store: HostStore;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
}

/** Active endpoints with the containers that have them: those in one network, or all. */
export function usesOf(context: NetworksDependencies, networkId?: string): NetworkUse[] {
  return context.attachments
    .running()
    .flatMap(({ id, name, endpoints, detaching }) =>
      [...endpoints, ...(detaching ? [detaching] : [])]
        .filter((endpoint) => networkId === undefined || endpoint.networkId === networkId)
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
