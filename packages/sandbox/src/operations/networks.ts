/** Network create, as containers see it: stopped ones of a former network of this name keep their static addresses. */
import { isNetyardError } from '@netyard/core';
import { type ChangeNetworksDependencies, createNetwork as createHostNetwork } from '@netyard/network';
import type { CreateNetworkRequest, NetworkRecord, NetworkStore } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { reserveStatic } from './static-addresses.ts';

/** Dependencies of the functions in this file. */
export interface CreateNetworkDependencies extends ChangeNetworksDependencies {
  readonly store: NetworkStore;
  readonly sandboxes: Map<string, Sandbox>;
}

export async function createNetwork(
  context: CreateNetworkDependencies,
  request: CreateNetworkRequest,
): Promise<{ id: string; warnings: string[] }> {
  const record = await createHostNetwork(context, request);
  for (const { config } of context.sandboxes.values()) {
    const endpoints = config.endpoints.filter(({ network, addresses }) => network === record.name && addresses);
    if (endpoints.length > 0) reserve(context, record, { ...config, endpoints });
  }
  return { id: record.id, warnings: [] };
}

/** An address that the new network does not have, or that another container has, is reported at the container's start. */
function reserve(context: CreateNetworkDependencies, record: NetworkRecord, config: Sandbox['config']): void {
  try {
    const reserved = reserveStatic(context, config);
    context.store.transaction(() => {
      for (const { address } of reserved) context.store.putLease(record.id, address, config.containerId);
    });
  } catch (error) {
    if (!isNetyardError(error, 'invalid') && !isNetyardError(error, 'forbidden')) throw error;
  }
}
