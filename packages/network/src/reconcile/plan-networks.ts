/** Plans the networks as they are recorded, with Netyard's table. Pure. */
import type { KernelObject } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { plannerOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { planHost } from '../plan/host.ts';

/** Dependencies of the functions in this file. */
export interface PlanNetworksDependencies {
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  mtuLimit: number | undefined;
  facts: HostFacts;
}

/** The objects of these networks, after Netyard's tables if one of them has a bridge. */
export function planNetworks(context: PlanNetworksDependencies, networkIds: readonly string[]): KernelObject[] {
  const planners = networkIds.flatMap((id) => plannerOf(context, id) ?? []);
  const objects = planners.flatMap((planner) => planner.planNetwork(context.facts));
  return planners.some(({ bridge }) => bridge !== undefined) ? [...planHost(context.facts), ...objects] : objects;
}
