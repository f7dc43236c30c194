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

/** Netyard's table and the objects of these networks; empty if none of them has any. */
export function planNetworks(context: PlanNetworksDependencies, networkIds: readonly string[]): KernelObject[] {
  const objects = networkIds.flatMap((id) => plannerOf(context, id)?.planNetwork(context.facts) ?? []);
  return objects.length === 0 ? [] : [...planHost(context.facts), ...objects];
}
