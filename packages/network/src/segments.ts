/** Chooses the segments of endpoints, and creates and removes the bridges of segments: see drivers/bridge/segment.ts. */
import { type KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type { EndpointState, NetworkRecord, NetworkSettings } from './contract.ts';
import { allowsSegments } from './drivers/bridge/segment.ts';
import { driverOf } from './drivers/index.ts';
import type { HostLinks } from './host-links.ts';
import { plannerOf } from './lookup.ts';
import type { HostFacts } from './model.ts';

/** How many endpoints are ports of one bridge. Measured: docs/decisions/0044. */
const defaultPorts = 128;
/** With the pair of each as a port of the network's own bridge, which has 1023. */
const mostSegments = 512;

/** Dependencies of `chooseSegment`. */
export interface ChooseSegmentDependencies {
  readonly settings: Pick<NetworkSettings, 'portsPerBridge'>;
  readonly hostLinks: HostLinks;
  facts: Pick<HostFacts, 'bridgeNetfilter' | 'bridgeNetfilter6'>;
}

/** The first segment with room for another endpoint; 0 is the network's own bridge. Throws `failed` when there is none. */
export function chooseSegment(context: ChooseSegmentDependencies, record: NetworkRecord): number {
  const { hostLinks, settings, facts } = context;
  const driver = driverOf(record);
  const { mostPorts } = driver.capabilities;
  if (mostPorts === undefined) return 0;
  const size = settings.portsPerBridge ?? defaultPorts;
  if (size > 0 && driver.canHaveSegments?.(record) && allowsSegments(facts)) {
    for (let segment = 0; segment < mostSegments; segment += 1)
      if (hostLinks.countOn(record.id, segment) < size) return segment;
  } else if (hostLinks.count(record.id) < mostPorts) return 0;
  throw new NetyardError('failed', `network ${record.name} is full: it has ${hostLinks.count(record.id)} endpoints`, {
    hint: 'Linux has no larger bridges: connect containers to another network',
  });
}

/** Dependencies of the other functions in this file. */
export interface SegmentsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly hostLinks: HostLinks;
  /** Segments whose bridge was created, or found, since the daemon's start: see `segmentKey`. */
  readonly knownSegments: Set<string>;
  readonly queue: KeyedQueue;
  mtuLimit: number | undefined;
  facts: HostFacts;
  ownDeletion(): void;
}

type Endpoint = Pick<EndpointState, 'networkId' | 'networkName' | 'segment'>;

const segmentKey = ({ networkId, segment }: Endpoint): string => `segment ${networkId} ${segment}`;

const planOf = (
  context: Omit<SegmentsDependencies, 'queue'>,
  { networkId, segment = 0 }: Pick<Endpoint, 'networkId' | 'segment'>,
): KernelObject[] => plannerOf(context, networkId)?.planSegment?.(segment, context.facts) ?? [];

const ownerOf = ({ networkName }: Endpoint): string => `network ${networkName}`;

/** Creates the bridges of the endpoints' segments, where they do not exist; before the endpoints themselves. */
export async function createSegments(context: SegmentsDependencies, endpoints: readonly Endpoint[]): Promise<void> {
  for (const endpoint of endpoints) {
    const key = segmentKey(endpoint);
    if (endpoint.segment === undefined || context.knownSegments.has(key)) continue;
    await context.queue.run(key, async () => {
      if (context.knownSegments.has(key)) return;
      await context.kernel.apply({ owner: ownerOf(endpoint), objects: planOf(context, endpoint) });
      context.knownSegments.add(key);
    });
  }
}

/**
 * Removes the bridges of segments that no endpoint uses any more; after the endpoints were freed. A failure is logged: the
 * next start finds the objects as orphans.
 */
export async function removeEmptySegments(
  context: SegmentsDependencies,
  endpoints: readonly Endpoint[],
): Promise<void> {
  for (const endpoint of endpoints) if (isEmpty(context, endpoint)) await removeSegment(context, endpoint);
}

const isEmpty = ({ hostLinks }: SegmentsDependencies, { networkId, segment }: Endpoint): boolean =>
  segment !== undefined && hostLinks.countOn(networkId, segment) === 0;

async function removeSegment(context: SegmentsDependencies, endpoint: Endpoint): Promise<void> {
  const key = segmentKey(endpoint);
  await context.queue.run(key, async () => {
    if (!isEmpty(context, endpoint)) return; // used again meanwhile
    context.knownSegments.delete(key);
    context.ownDeletion();
    try {
      await context.kernel.remove({ owner: ownerOf(endpoint), objects: planOf(context, endpoint) });
    } catch (error) {
      const { networkName: network, segment } = endpoint;
      context.logger.error('a segment of a network could not be removed', {
        network,
        segment,
        error: messageOf(error),
      });
    }
  });
}

/**
 * Removes the segments of networks whose endpoints are all on one bridge now: see `allowsSegments`. Those of a network with
 * more endpoints than a bridge has ports stay, with the ports that found no room.
 */
export async function removeSegments(context: Omit<SegmentsDependencies, 'queue'>): Promise<void> {
  const { networks, hostLinks, kernel, logger } = context;
  context.knownSegments.clear();
  const segmented = [...networks.values()].filter(({ id }) => hostLinks.segmentsOf(id).length > 0);
  const objects = segmented.flatMap((record) => {
    const { id, name: network } = record;
    const { mostPorts = 0 } = driverOf(record).capabilities;
    const endpoints = hostLinks.count(id);
    if (endpoints > mostPorts) {
      logger.warn(
        'a network has more endpoints than one bridge has ports: with br_netfilter, published ports of some fail',
        {
          network,
          endpoints,
        },
      );
      return [];
    }
    return hostLinks.segmentsOf(id).flatMap((segment) => planOf(context, { networkId: id, segment }));
  });
  context.ownDeletion();
  await kernel.remove({ owner: 'segments of networks', objects });
}
