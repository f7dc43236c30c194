/** Distinguishes changes of networks' elements that follow from the plans from those of other programs, without a dump. */
import type { KernelEvent } from '@netyard/kernel';
import type { NetworkSettings } from '../contract.ts';
import { encodeElementKey } from '../firewall/element-key.ts';
import { type NetyardSet, networkSets } from '../firewall/table.ts';
import { plannerOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';

/** Dependencies of the functions in this file. */
export interface NetworkElementsDependencies {
  readonly networks: NetworkTable;
  readonly settings: NetworkSettings;
  readonly mtuLimit: number | undefined;
  readonly facts: HostFacts;
}

type NftEvent = Extract<KernelEvent, { type: 'nft' }>;

/** Sets of networks whose keys begin with a bridge, its address or its subnet. */
const keyedByBridge: readonly NetyardSet[] = networkSets.filter(
  (set) => set !== 'engine_bridges' && set !== 'trusted_ingress',
);

/** Of these, the sets whose keys begin with an address. */
const keyedByAddress: ReadonlySet<string> = new Set<NetyardSet>([
  ...(['gateways', 'source_addresses', 'masqueraded', 'masqueraded_24', 'masqueraded_64', 'cluster_subnets'] as const),
]);

/** The elements of a network that was created or removed: new ones of its bridge, and deleted ones of no bridge. */
export function isPlannedChange(
  context: NetworkElementsDependencies,
  { action, family, set = '', keys = [] }: NftEvent,
): boolean {
  if (!keyedByBridge.some((one) => one === set) || keys.length === 0) return false;
  return keys.every((key) => {
    const id = context.networks.byElement(key, keyedByAddress.has(set) ? 'address' : 'link');
    return action === 'new' ? id !== undefined && isPlanned(context, id, { family, set, key }) : id === undefined;
  });
}

function isPlanned(
  context: NetworkElementsDependencies,
  networkId: string,
  { family, set, key }: { family: NftEvent['family']; set: string; key: Uint8Array },
): boolean {
  const planned = plannerOf(context, networkId)?.planNetwork(context.facts) ?? [];
  return planned.some(
    (object) =>
      object.kind === 'nft-element' &&
      object.family === family &&
      object.set === set &&
      encodeElementKey(object.key).equals(key),
  );
}
