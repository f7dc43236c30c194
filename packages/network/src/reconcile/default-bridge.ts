/**
 * The default bridge at the daemon's start: its record follows the daemon's options. The checks come before any change.
 * An IPv4 or IPv6 subnet does not move while containers use it; IPv6 itself can be switched on and off at any time.
 */
import { formatPrefix, NetyardError, parsePrefix, prefixContains, prefixesOverlap } from '@netyard/core';
import type { Kernel, KernelObject, NftElementObject } from '@netyard/kernel';
import type { Attachments } from '../attachments.ts';
import type { HostStore, IpamPool, NetworkRecord, NetworkSettings } from '../contract.ts';
import { defaultBridgeOptions, planBridgePool, planBridgePool6 } from '../drivers/bridge/default-bridge.ts';
import { bridgeSettings } from '../drivers/bridge/options.ts';
import { type Family, families, valuesOf } from '../family.ts';
import { planNetworkElements } from '../firewall/network.ts';
import { NetworkPools } from '../ipam/network-pools.ts';
import { blockBy } from '../ipam/occupied.ts';
import { subnetPoolsOf } from '../ipam/subnet-pools.ts';
import type { BridgeSettings, FamilySettings } from '../model.ts';
import { type NetworkTable, subnetsOf } from '../network-table.ts';
import { loadLeases, type NetworksDependencies } from '../networks.ts';
import { checkBridgeFits, chooseMtu, describeOption, type HostDependencies, hasIpv6 } from './host.ts';
import type { HostUseCache } from './host-use.ts';

/** Dependencies of the functions in this file. */
export interface DefaultBridgeDependencies extends HostDependencies, NetworksDependencies {
  readonly kernel: Kernel;
  readonly store: HostStore;
  readonly settings: NetworkSettings;
  readonly networks: NetworkTable;
  readonly attachments: Attachments;
  readonly pools: Map<string, NetworkPools>;
  readonly hostUse: Pick<HostUseCache, 'read'>;
}

/** `alive`: ids of the attached that still run, whatever their recorded state. */
export async function reconcileDefaultBridge(
  context: DefaultBridgeDependencies,
  alive: ReadonlySet<string>,
): Promise<void> {
  const record = [...context.networks.values()].find((network) => network.name === 'bridge');
  if (!record) throw new NetyardError('internal', 'the default bridge has no record');
  const before = bridgeSettings(record);
  const options = defaultBridgeOptions(context.settings, await chooseMtu(context));
  const v6 = await placeIpv6(context, record);
  const ipam = { driver: record.ipam.driver, v4: [planBridgePool(context.settings)], ...(v6 ? { v6: [v6] } : {}) };
  const next: NetworkRecord = { ...record, options, ipam };
  const after = bridgeSettings(next);
  rejectOverlap(context, after);
  await checkBridgeFits(context, after);
  for (const family of families)
    if (isMoved(family, before, after)) rejectWhileUsed(context, alive, before, after, family);
  context.store.putNetwork(next);
  context.networks.set(next.id, next);
  const pools = new NetworkPools(next.ipam);
  loadLeases(context, next.id, pools);
  context.pools.set(next.id, pools);
  await removeOldBridge(context, before, after);
}

/** Undefined without `--ipv6`. An automatic subnet is kept while the option is set. */
async function placeIpv6(context: DefaultBridgeDependencies, record: NetworkRecord): Promise<IpamPool | undefined> {
  const { bridgeIpv6, defaultAddressPools, daemonId } = context.settings;
  if (!bridgeIpv6) return undefined;
  if (!(await hasIpv6(context.kernel)))
    throw new NetyardError('failed', 'cannot enable IPv6 on the default bridge: the kernel has no IPv6', {
      hint: 'start the daemon without --ipv6, or boot without ipv6.disable=1',
    });
  const pools = subnetPoolsOf(defaultAddressPools, daemonId);
  const present = record.ipam.v6?.[0]?.subnet;
  const occupied = await context.hostUse.read((link) => context.networks.byLink(link) !== undefined);
  return planBridgePool6(bridgeIpv6, () =>
    present !== undefined && isOfPools(present, pools)
      ? present
      : formatPrefix(context.networks.subnets.next('v6', blockBy(occupied.v6))),
  );
}

function isOfPools(text: string, pools: ReturnType<typeof subnetPoolsOf>): boolean {
  const subnet = parsePrefix(text);
  return pools.some(({ base, size }) => size === subnet.length && prefixContains(parsePrefix(base), subnet));
}

function rejectOverlap({ networks, settings }: DefaultBridgeDependencies, bridge: BridgeSettings): void {
  for (const family of families) {
    const own = bridge[family]?.subnet;
    if (own === undefined) continue;
    for (const record of networks.values()) {
      const overlapping = subnetsOf(record).find((one) => prefixesOverlap(parsePrefix(one), parsePrefix(own)));
      if (record.id === bridge.networkId || overlapping === undefined) continue;
      const [option, given] = describeOption(settings, family, own);
      throw new NetyardError('conflict', `${given} overlaps with the subnet ${overlapping} of network ${record.name}`, {
        hint: `choose another subnet with --${option}, or start the daemon with the former one and remove the network`,
      });
    }
  }
}

/** A family that is added or removed moves nothing. */
function isMoved(family: Family, before: BridgeSettings, after: BridgeSettings): boolean {
  const [old, next] = [before[family], after[family]];
  if (!old || !next) return false;
  return before.link !== after.link || old.subnet !== next.subnet || old.gateway !== next.gateway;
}

function rejectWhileUsed(
  context: DefaultBridgeDependencies,
  alive: ReadonlySet<string>,
  before: BridgeSettings,
  after: BridgeSettings,
  family: Family,
): void {
  const users = context.attachments
    .running()
    .filter(
      ({ id, endpoints }) =>
        alive.has(id) &&
        endpoints.some(({ networkId, addresses }) => networkId === before.networkId && addresses[family] !== undefined),
    );
  if (users.length === 0) return;
  const names = users.map(({ name }) => name).join(', ');
  const place = (bridge: BridgeSettings): string => `${bridge[family]?.address} on ${bridge.link}`;
  throw new NetyardError(
    'conflict',
    `cannot move the default bridge from ${place(before)} to ${place(after)}: containers run on it (${names})`,
    { hint: 'start the daemon with the former options, stop the containers, then change the address' },
  );
}

async function removeOldBridge(
  context: DefaultBridgeDependencies,
  before: BridgeSettings,
  after: BridgeSettings,
): Promise<void> {
  const idOf = ({ family, set, key }: NftElementObject): string => `${family} ${set} ${key}`;
  const desired = new Set(planNetworkElements(after).map(idOf));
  const objects: KernelObject[] = planNetworkElements(before).filter((one) => !desired.has(idOf(one)));
  const addressesOf = (bridge: BridgeSettings): string[] =>
    valuesOf<FamilySettings>(bridge).flatMap(({ address }) => address ?? []);
  const kept = addressesOf(after);
  const { link } = before;
  if (link !== after.link) objects.unshift({ kind: 'bridge', name: link, up: false });
  else
    for (const prefix of addressesOf(before))
      if (!kept.includes(prefix)) objects.unshift({ kind: 'address', link, prefix });
  if (objects.length > 0) await context.kernel.remove({ owner: 'network bridge', objects });
}
