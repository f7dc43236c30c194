/** `docker network …`: the operations of the network package, with containers looked up by name and shown by name. */

import { type Clock, type KeyedQueue, NetyardError } from '@netyard/core';
import type { EndpointState, Family } from '@netyard/network';
import type { Networks } from '@netyard/sandbox';
import type { Filters, NetworkService } from '../contract.ts';
import {
  booleanFilter,
  checkFilterKeys,
  matchesExactly,
  matchesKeyValues,
  matchesPattern,
  matchesPruneLabels,
  untilFilter,
} from '../filters.ts';
import type { ContainerIndex } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface NetworksServiceDependencies {
  readonly networks: Networks;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly queue: KeyedQueue;
}

export function createNetworkService(context: NetworksServiceDependencies): NetworkService {
  const { networks, index, queue } = context;
  return {
    list: (filters) => listNetworks(networks, filters),
    get(ref) {
      const record = networks.get(ref);
      const uses = networks.uses(record.id).map(({ containerId, containerName, endpoint }) => ({
        containerId,
        name: index.byId(containerId)?.name ?? containerName,
        ...addressesOf(endpoint),
      }));
      return { record, uses };
    },
    async connect(networkRef, containerRef, endpoint) {
      const { id } = index.get(containerRef);
      await queue.run(id, () => {
        const { status } = index.get(id).state;
        if (status === 'removing' || status === 'dead') throw markedForRemoval(id);
        return networks.connect(networkRef, id, endpoint);
      });
    },
    async disconnect(networkRef, containerRef, force) {
      const { id } = index.get(containerRef);
      await queue.run(id, () => networks.disconnect(networkRef, id, force));
    },
    async remove(ref) {
      await networks.remove(ref);
    },
    prune: (filters) => pruneNetworks(context, filters),
  };
}

function addressesOf(endpoint: EndpointState): { endpointId: string; mac: string; ipv4: string; ipv6: string } {
  const prefix = (family: Family): string => {
    const own = endpoint.addresses[family];
    return own ? `${own.address}/${own.prefixLength}` : '';
  };
  return {
    endpointId: endpoint.id,
    mac: endpoint.mac,
    ipv4: prefix('v4'),
    ipv6: prefix('v6'),
  };
}

const markedForRemoval = (id: string): NetyardError =>
  new NetyardError(
    'conflict',
    `Container ${id} is marked for removal and cannot be connected or disconnected to the network`,
  );

function listNetworks(networks: Networks, filters: Filters): ReturnType<NetworkService['list']> {
  checkFilterKeys(filters, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
  const dangling = booleanFilter(filters, 'dangling');
  const types = filters.get('type') ?? [];
  for (const type of types)
    if (type !== 'builtin' && type !== 'custom') throw new NetyardError('invalid', `invalid filter: 'type'='${type}'`);
  return networks.list().filter((record) => {
    const unused = !record.predefined && networks.uses(record.id).length === 0;
    return (
      matchesExactly(filters.get('driver'), record.driver) &&
      matchesPattern(filters.get('name'), record.name) &&
      matchesPattern(filters.get('id'), record.id) &&
      matchesKeyValues(filters.get('label'), record.labels) &&
      matchesExactly(filters.get('scope'), 'local') &&
      (types.length === 0 || types.includes(record.predefined ? 'builtin' : 'custom')) &&
      (dangling === undefined || dangling === unused)
    );
  });
}

async function pruneNetworks(context: NetworksServiceDependencies, filters: Filters): Promise<string[]> {
  const { networks, clock } = context;
  checkFilterKeys(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters, clock.now());
  const removed: string[] = [];
  for (const record of networks.list()) {
    if (record.predefined || networks.uses(record.id).length > 0) continue;
    if ((until !== undefined && record.created > until) || !matchesPruneLabels(filters, record.labels)) continue;
    await networks.remove(record.id);
    removed.push(record.name);
  }
  return removed;
}
