/** `docker network …`: the operations of the network package, with containers looked up by name and shown by name. */

import { type Clock, type KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import type { EndpointState, Family, NetworkRecord } from '@netyard/network';
import type { Networks } from '@netyard/sandbox';
import type { Filters, NetworkService } from '../contract.ts';
import type { EventLog } from '../events/event-log.ts';
import {
  checkFilterKeys,
  matchesExactly,
  matchesKeyValues,
  matchesPruneLabels,
  patternTest,
  untilFilter,
} from '../filters.ts';
import type { ContainerIndex } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface NetworksServiceDependencies {
  readonly networks: Networks;
  readonly clock: Clock;
  readonly index: ContainerIndex;
  readonly queue: KeyedQueue;
  readonly events: EventLog;
  readonly logger: Logger;
}

export function createNetworkService(context: NetworksServiceDependencies): NetworkService {
  const { networks, index, queue } = context;
  const prune = onlyOnce((filters: Filters) => pruneNetworks(context, filters));
  return {
    list: (filters) => listNetworks(context, filters),
    get(ref) {
      const record = networks.get(ref);
      const uses = networks.uses(record.id).map(({ containerId, containerName, endpoint }) => ({
        containerId,
        name: index.byId(containerId)?.name ?? containerName,
        ...addressesOf(endpoint),
      }));
      return { record, uses, stopped: () => stoppedContainers(context, record) };
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
    prune,
  };
}

/** The containers without an endpoint that get one in this network when they start. */
function stoppedContainers(
  { networks, index }: NetworksServiceDependencies,
  network: NetworkRecord,
): ReturnType<ReturnType<NetworkService['get']>['stopped']> {
  return index.all().flatMap(({ id, name }) => {
    if (networks.state(id)) return [];
    const configured = networks.config(id)?.endpoints ?? [];
    const config = configured.find((endpoint) => endpoint.network === network.name);
    return config ? [{ containerId: id, name, config }] : [];
  });
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

const filterKeys = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

function listNetworks(context: NetworksServiceDependencies, filters: Filters): NetworkRecord[] {
  checkFilterKeys(filters, filterKeys);
  const dangling = danglingFilter(filters);
  const types = filters.get('type') ?? [];
  const hasName = patternTest(filters.get('name'));
  const hasId = patternTest(filters.get('id'));
  for (const type of types)
    if (type !== 'builtin' && type !== 'custom') throw new NetyardError('failed', `invalid filter: 'type'='${type}'`);
  const used = dangling === undefined ? new Set<string>() : usedNetworks(context);
  return context.networks
    .list()
    .filter(
      (record) =>
        matchesExactly(filters.get('driver'), record.driver) &&
        hasName(record.name) &&
        hasId(record.id) &&
        matchesKeyValues(filters.get('label'), record.labels) &&
        matchesExactly(filters.get('scope'), record.cluster === undefined ? 'local' : 'swarm') &&
        (types.length === 0 || types.includes(record.predefined ? 'builtin' : 'custom')) &&
        (dangling === undefined || dangling === !(record.predefined || used.has(record.id))),
    );
}

/** Docker's check, which is stricter than that of other boolean filters. */
function danglingFilter(filters: Filters): boolean | undefined {
  const values = filters.get('dangling') ?? [];
  if (values.length > 1) throw new NetyardError('invalid', 'got more than one value for filter key "dangling"');
  const [value] = values;
  if (value === undefined) return undefined;
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  const allowed = 'must be "true" (or "1"), or "false" (or "0")';
  throw new NetyardError('invalid', `invalid value for filter 'dangling', ${allowed}`);
}

/** Ids of the networks with an endpoint; one pass over the containers, not one for each network. */
function usedNetworks({ networks, index }: NetworksServiceDependencies): Set<string> {
  const ofContainers = index.all().flatMap(({ id }) => networks.state(id)?.endpoints ?? []);
  const attached = networks.endpoints.list().map(({ endpoint }) => endpoint);
  return new Set([...ofContainers, ...attached].map(({ networkId }) => networkId));
}

async function pruneNetworks(context: NetworksServiceDependencies, filters: Filters): Promise<string[]> {
  const { networks, clock, events, logger } = context;
  checkFilterKeys(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters, clock.now());
  const used = usedNetworks(context);
  const removed: string[] = [];
  for (const { id, name, predefined, configuration, cluster, created, labels } of networks.list()) {
    // Stopped containers of other hosts may need a network of the cluster.
    if (predefined || configuration || cluster !== undefined || used.has(id)) continue;
    if ((until !== undefined && created > until) || !matchesPruneLabels(filters, labels)) continue;
    try {
      await networks.remove(id);
      removed.push(name);
    } catch (error) {
      // A container may have been connected meanwhile.
      logger.warn('pruning a network failed', { network: name, error: messageOf(error) });
    }
  }
  events.publish({ type: 'network', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
  return removed;
}

/** Rejects calls while another one runs. */
function onlyOnce<Argument, T>(run: (argument: Argument) => Promise<T>): (argument: Argument) => Promise<T> {
  let isRunning = false;
  return async (argument) => {
    if (isRunning) throw new NetyardError('conflict', 'a prune operation is already running');
    isRunning = true;
    try {
      return await run(argument);
    } finally {
      isRunning = false;
    }
  };
}
