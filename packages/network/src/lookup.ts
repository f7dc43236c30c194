/** Finds networks and bridges by reference. */
import { NetyardError } from '@netyard/core';
import type { NetworkRecord, NetworkSettings } from './contract.ts';
import type { Capabilities, NetworkPlanner } from './drivers/driver.ts';
import { driverOf } from './drivers/index.ts';
import type { BridgeSettings } from './model.ts';

/** The state that the functions of this file read; each takes the part that it needs. */
interface NetworkState {
  readonly networks: ReadonlyMap<string, NetworkRecord>;
  readonly settings: NetworkSettings;
  mtuLimit: number | undefined;
}

/** By id, name or unambiguous id prefix. Throws `not-found`: `network X not found`. */
export function networkOf(context: Pick<NetworkState, 'networks'>, ref: string): NetworkRecord {
  const exact = context.networks.get(ref);
  if (exact) return exact;
  const name = ref === 'default' ? 'bridge' : ref;
  const named = findNamed(context, name);
  if (named) return named;
  const matches = ref === '' ? [] : [...context.networks.values()].filter((record) => record.id.startsWith(ref));
  if (matches.length > 1) {
    const count = `${matches.length} matches found based on ID prefix`;
    throw new NetyardError('invalid', `network ${ref} is ambiguous (${count})`);
  }
  if (matches[0]) return matches[0];
  throw new NetyardError('not-found', `network ${ref} not found`);
}

function findNamed({ networks }: Pick<NetworkState, 'networks'>, name: string): NetworkRecord | undefined {
  for (const record of networks.values()) if (record.name === name) return record;
  return undefined;
}

/** The planner of a network; undefined for a network that does not exist. */
export function plannerOf(
  context: Pick<NetworkState, 'networks' | 'settings' | 'mtuLimit'>,
  networkId: string,
): NetworkPlanner | undefined {
  const record = context.networks.get(networkId);
  return record && plannerOfRecord(context, record);
}

/** The planner of a network that need not be in use yet, or is no longer. Throws `failed` for an unknown driver. */
export function plannerOfRecord(
  context: Pick<NetworkState, 'settings' | 'mtuLimit'>,
  record: NetworkRecord,
): NetworkPlanner {
  // A requested MTU is kept: ICMP reports packets that do not fit, and the MSS of TCP is clamped anyway.
  const limit = context.settings.mtu > 0 ? undefined : context.mtuLimit;
  const known = openPlanners.get(record);
  if (known && known.limit === limit) return known.planner;
  const planner = driverOf(record).openPlanner(record, limit);
  openPlanners.set(record, { limit, planner });
  return planner;
}

/** Planners have no state, and records are replaced when they change: one operation needs the same planner several times. */
const openPlanners = new WeakMap<NetworkRecord, { limit: number | undefined; planner: NetworkPlanner }>();

/** What a network of this name can do; undefined if there is none. */
export function capabilitiesOfNamed(context: Pick<NetworkState, 'networks'>, name: string): Capabilities | undefined {
  const record = findNamed(context, name);
  return record && driverOf(record).capabilities;
}

/** Undefined for networks without a bridge (host, none). */
export const bridgeOf = (
  context: Pick<NetworkState, 'networks' | 'settings' | 'mtuLimit'>,
  networkId: string,
): BridgeSettings | undefined => plannerOf(context, networkId)?.bridge;
