/** The attached endpoints in memory, and what the operations on them use. */
import { type Clock, type KeyedQueue, type Logger, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { EndpointRecord, NetworkEvent } from '../contract.ts';
import { plannerOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import type { describeRepair } from '../reconcile/describe.ts';
import type { LinkDeletions } from '../reconcile/link-deletions.ts';
import type { SegmentsDependencies } from '../segments.ts';
import type { EndpointDependencies } from './allocate.ts';
import { type EndpointPlan, planAttached } from './plan.ts';
import type { ReservePortsDependencies } from './ports.ts';

/** Dependencies of the operations on attached endpoints. */
export interface AttachedDependencies extends EndpointDependencies, ReservePortsDependencies, SegmentsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly clock: Clock;
  /** By id. Records are replaced, not changed. */
  readonly attached: Map<string, EndpointRecord>;
  mtuLimit: number | undefined;
  readonly linkDeletions: Pick<LinkDeletions, 'expect'>;
  readonly queue: KeyedQueue;
  facts: HostFacts;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  ownDeletion(): void;
}

/** By id or name. */
export const findAttached = (
  { attached }: Pick<AttachedDependencies, 'attached'>,
  ref: string,
): EndpointRecord | undefined => attached.get(ref) ?? [...attached.values()].find(({ name }) => name === ref);

/** Throws `not-found`. */
export function attachedOf(context: Pick<AttachedDependencies, 'attached'>, ref: string): EndpointRecord {
  const record = findAttached(context, ref);
  if (record) return record;
  throw new NetyardError('not-found', `endpoint ${ref} not found`);
}

/** Serializes the operations on one endpoint, by its name, which exists before its id. */
export const queueKey = (name: string): string => `endpoint ${name}`;

/** Runs `work` on the endpoint as it is when the operations before it have ended. */
export async function inQueue<T>(
  context: AttachedDependencies,
  ref: string,
  work: (record: EndpointRecord) => Promise<T>,
): Promise<T> {
  return context.queue.run(queueKey(attachedOf(context, ref).name), () => work(attachedOf(context, ref)));
}

const emptyPlan: EndpointPlan = { objects: [], removal: [], interfaces: [], ports: [] };

/** Empty for an endpoint whose network's record was lost, as for a container. */
export function planOf(
  context: Pick<AttachedDependencies, 'networks' | 'settings' | 'mtuLimit' | 'facts'>,
  record: EndpointRecord,
): EndpointPlan {
  const planner = plannerOf(context, record.endpoint.networkId);
  return planner ? planAttached(record, planner, context.facts) : emptyPlan;
}

export function emitOf(
  context: Pick<AttachedDependencies, 'emit' | 'networks'>,
  action: 'connect' | 'disconnect' | 'repair',
  { endpoint: { networkId, networkName } }: EndpointRecord,
  repair?: ReturnType<typeof describeRepair>,
): void {
  const driver = context.networks.get(networkId)?.driver ?? '';
  context.emit({ action, networkId, networkName, driver, ...repair });
}
