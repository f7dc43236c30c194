/** Plans the networks as they are recorded, with Netyard's table. Pure. */
import type { KernelObject } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { allowsSegments } from '../drivers/bridge/segment.ts';
import type { HostLinks } from '../host-links.ts';
import { plannerOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { planHost } from '../plan/host.ts';

/** Dependencies of the functions in this file. */
export interface PlanNetworksDependencies {
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly hostLinks: Pick<HostLinks, 'segmentsOf'>;
  mtuLimit: number | undefined;
  facts: HostFacts;
}

/** The objects of these networks with their segments, after Netyard's tables if one of them has a bridge. */
export function planNetworks(context: PlanNetworksDependencies, networkIds: readonly string[]): KernelObject[] {
  const planners = networkIds.flatMap((id) => plannerOf(context, id) ?? []);
  const objects = networkIds.flatMap((id) => [
    ...(plannerOf(context, id)?.planNetwork(context.facts) ?? []),
    ...planSegments(context, id),
  ]);
  return planners.some(({ bridge }) => bridge !== undefined) ? [...planHost(context.facts), ...objects] : objects;
}

/** The bridges of the segments that endpoints use, each joined to the network's own. */
function planSegments(context: PlanNetworksDependencies, networkId: string): KernelObject[] {
  if (!allowsSegments(context.facts)) return [];
  const planner = plannerOf(context, networkId);
  const segments = context.hostLinks.segmentsOf(networkId);
  return segments.flatMap((segment) => planner?.planSegment?.(segment, context.facts) ?? []);
}
