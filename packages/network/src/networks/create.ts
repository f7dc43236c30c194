/** Creates a network: checks, allocates in memory, applies to the kernel, stores. A failure rolls all of it back. */
import { isDeepStrictEqual } from 'node:util';
import {
  type Clock,
  type KeyedQueue,
  messageOf,
  NetyardError,
  newId,
  parseIp,
  parsePrefix,
  prefixContains,
} from '@netyard/core';
import { identityOf, type KernelObject } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { CreateNetworkRequest, IpamPool, NetworkEvent, NetworkRecord } from '../contract.ts';
import type { Driver } from '../drivers/driver.ts';
import { driverOf } from '../drivers/index.ts';
import { type Family, families, perFamily } from '../family.ts';
import { NetworkPools } from '../ipam/network-pools.ts';
import { rangesOf } from '../ipam/occupied.ts';
import { bridgeOf, plannerOf, plannerOfRecord } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkTable } from '../network-table.ts';
import type { NetworksDependencies } from '../networks.ts';
import { factsOfBridges, withBridge } from '../plan/facts.ts';
import { type ForeignRulesDependencies, reconcileForeignRules } from '../reconcile/foreign-rules.ts';
import type { HostUseCache } from '../reconcile/host-use.ts';
import { readIpv6Forwarding } from '../reconcile/ipv6-forwarding.ts';
import { type PlanNetworksDependencies, planNetworks } from '../reconcile/plan-networks.ts';
import { checkCreate, type NetworkDraft } from './check.ts';
import { configurationOf } from './config-networks.ts';
import { adoptBridge, restoreSettings, withFormerSettings } from './existing-bridge.ts';
import { checkLinkKinds, checkParent, checkParentShared } from './parent.ts';
import { placePools } from './subnets.ts';
import { checkUplink } from './uplink.ts';

/** Dependencies of the functions in this folder. */
export interface ChangeNetworksDependencies
  extends NetworksDependencies,
    ForeignRulesDependencies,
    PlanNetworksDependencies {
  readonly clock: Clock;
  readonly networks: NetworkTable;
  readonly pools: Map<string, NetworkPools>;
  readonly peers: Pick<Peers, 'findOverlap'>;
  readonly hostUse: Pick<HostUseCache, 'read'>;
  readonly queue: KeyedQueue;
  facts: HostFacts;
  emit(event: Omit<NetworkEvent, 'type'>): void;
  ownDeletion(): void;
  bridgesChanged(): Promise<void>;
}

/** Serializes the operations on the networks of one name, which exists before the id. */
export const networkQueueKey = (name: string): string => `network ${name}`;

export async function createNetwork(
  context: ChangeNetworksDependencies,
  request: CreateNetworkRequest,
): Promise<NetworkRecord> {
  return context.queue.run(networkQueueKey(request.name), async () => {
    const { driver, draft } = checkCreate(request, context.networks, context.settings.defaultNetworkOptions);
    const identified = { ...draft, id: newId() };
    const placed = toRecord(context, driver ? await placeNetwork(context, driver, identified) : identified);
    const record = await withFormerSettings(context, placed);
    checkConflicts(context, record);
    await set(context, record);
    emitNetwork(context, 'create', record);
    return record;
  });
}

/** The error of a network that needs IPv6, which this host has not. */
export const withoutIpv6 = (name: string): NetyardError =>
  new NetyardError('failed', `cannot enable IPv6 on network ${name}: the kernel has no IPv6`, {
    hint: 'create the network without --ipv6, or boot without ipv6.disable=1',
  });

type IdentifiedDraft = NetworkDraft & Pick<NetworkRecord, 'id'>;

/** The draft with its subnets. */
async function placeNetwork(
  context: ChangeNetworksDependencies,
  driver: Driver,
  requested: IdentifiedDraft,
): Promise<IdentifiedDraft> {
  if (requested.ipam.v6 && !context.facts.ipv6) throw withoutIpv6(requested.name);
  const draft = await adoptBridge(context, requested);
  await checkUplink(context.kernel, draft);
  const parent = await checkParent(context.kernel, driver.parentOf(draft));
  await checkLinkKinds(context.kernel, driver.linkKinds?.(draft));
  const occupied = await context.hostUse.read((link) => context.networks.byLink(link) !== undefined);
  const reserved = rangesOf(context.settings.reservedSubnets ?? []);
  const surroundings = {
    ...{ networks: context.networks, peers: context.peers, occupied, reserved },
    hasGateway: (family: Family) => driver.hasGateway(draft, family),
  };
  const pools = perFamily((family) => {
    const requested = draft.ipam[family];
    return requested && placePools(family, withReserved(requested, driver.reservedAddresses?.(draft)), surroundings);
  });
  const internal = draft.internal || driver.isInternal?.(draft) === true;
  return { ...draft, ...parent, internal, ipam: { ...draft.ipam, ...pools } };
}

/** The pools with auxiliary addresses added to the subnets that contain them. */
const withReserved = (pools: readonly IpamPool[], reserved: Readonly<Record<string, string>> = {}): IpamPool[] =>
  pools.map((pool) => {
    const isIn = (address: string): boolean => {
      const [subnet, ip] = [parsePrefix(pool.subnet), parseIp(address)];
      return subnet.family === ip.family && prefixContains(subnet, ip);
    };
    const own = Object.entries(reserved).filter(([, address]) => pool.subnet !== '' && isIn(address));
    return own.length === 0 ? pool : { ...pool, auxAddresses: { ...pool.auxAddresses, ...Object.fromEntries(own) } };
  });

const toRecord = (
  { clock }: ChangeNetworksDependencies,
  { id, name, driver, ...rest }: IdentifiedDraft,
): NetworkRecord => ({
  ...{ id, name, driver, created: clock.now() },
  ...rest,
  predefined: false,
});

/** Docker's drivers reject a bridge and a subnet of another network, and a parent that cannot be shared. */
export function checkConflicts(context: ChangeNetworksDependencies, record: NetworkRecord): void {
  if (record.configFrom !== undefined) configurationOf(context.networks, record.configFrom); // not removed meanwhile
  const link = plannerOfRecord(context, record).bridge?.link ?? '';
  const reject = (otherId: string, what: string): never => {
    const other = bridgeOf(context, otherId)?.link ?? '';
    if (link === '')
      throw new NetyardError('forbidden', 'invalid pool request: Pool overlaps with other one on this address space');
    throw new NetyardError(
      'forbidden',
      `cannot create network ${record.id} (${link}): conflicts with network ${otherId} (${other}): networks have ${what}`,
    );
  };
  const sameLink = context.networks.byLink(link);
  if (sameLink !== undefined) reject(sameLink, 'same bridge name');
  for (const family of families)
    for (const { subnet } of record.ipam[family] ?? []) {
      const overlapping = context.networks.subnets.overlapping(subnet);
      if (overlapping !== undefined) reject(overlapping, `overlapping IP${family}`);
    }
  checkParentShared(context.networks, record);
}

/** The reservation in memory is synchronous, so that concurrent operations cannot choose the same subnet. */
export async function set(context: ChangeNetworksDependencies, record: NetworkRecord): Promise<void> {
  const hasIpv6 = ({ ipam }: NetworkRecord): boolean => ipam.v6 !== undefined;
  const isFirstIpv6 = hasIpv6(record) && !context.networks.values().some(hasIpv6);
  context.networks.set(record.id, record);
  context.pools.set(record.id, new NetworkPools(record.ipam));
  try {
    await apply(context, record);
    try {
      context.store.putNetwork(record);
    } catch (error) {
      context.networks.delete(record.id); // first, so that no repair creates the objects again
      await removeObjects(context, record);
      throw error;
    }
  } catch (error) {
    context.networks.delete(record.id);
    context.pools.delete(record.id);
    throw error;
  }
  await followBridges(context, { isFirstIpv6 });
}

/** The first bridge with a feature, such as icc=false, changes Netyard's tables. */
async function apply(context: ChangeNetworksDependencies, record: NetworkRecord): Promise<void> {
  const planner = plannerOf(context, record.id);
  const isFirstIpv6 = planner?.bridge?.v6 !== undefined && !context.facts.ipv6Networks;
  const forwarding = isFirstIpv6 ? await readIpv6Forwarding(context, { ipv6Networks: true }) : {};
  const { facts: before } = context;
  const facts = planner?.bridge ? withBridge({ ...before, ...forwarding }, planner.bridge) : before;
  const changesTables = !isDeepStrictEqual(facts, before);
  context.facts = facts;
  const objects = changesTables ? planNetworks(context, [record.id]) : planner?.planNetwork(facts);
  context.ownDeletion();
  try {
    const plan = { owner: `network ${record.name}`, objects: objects ?? [] };
    const isNew = planner?.bridge !== undefined && record.existingBridge === undefined;
    await context.kernel.apply(plan, isNew ? { newLinks: [planner.bridge.link] } : {});
  } catch (error) {
    const others = [...context.networks.keys()].filter((id) => id !== record.id);
    const bridges = others.flatMap((id) => bridgeOf(context, id) ?? []);
    const former = factsOfBridges(bridges);
    const { enabledIpv6Forwarding } = former.ipv6Networks ? context.facts : before;
    context.facts = { ...context.facts, ...former, enabledIpv6Forwarding }; // other facts may have changed meanwhile
    throw error;
  } finally {
    context.facts = { ...context.facts, advertisedUplinks: [] };
  }
}

/** Continues after failures; throws one error that lists all of them. */
export async function removeObjects(context: ChangeNetworksDependencies, record: NetworkRecord): Promise<void> {
  const planned = plannerOfRecord(context, record).planNetwork(context.facts);
  const shared = new Set(planOthersOnParent(context, record).map(identityOf));
  const { addresses = [] } = record.existingBridge ?? {};
  const isOurs = (object: KernelObject): boolean => object.kind !== 'address' || !addresses.includes(object.prefix);
  const objects = planned.filter((object) => isOurs(object) && !shared.has(identityOf(object)));
  context.ownDeletion();
  await context.kernel.remove({ owner: `network ${record.name}`, objects });
  await restoreSettings(context.kernel, record);
}

/** Several networks may use a VLAN sub-interface. */
function planOthersOnParent(context: ChangeNetworksDependencies, record: NetworkRecord): KernelObject[] {
  const ids = context.networks.byParent(driverOf(record).parentOf(record)?.link ?? '') ?? [];
  const others = [...ids].filter((id) => id !== record.id);
  return others.flatMap((id) => plannerOf(context, id)?.planNetwork(context.facts) ?? []);
}

/** The guard lists all bridges; other programs' forward chains that drop need accept rules. Failures are logged. */
export async function followBridges(context: ChangeNetworksDependencies, { isFirstIpv6 = false } = {}): Promise<void> {
  await context.bridgesChanged();
  const { rules, blocks } = context.foreign;
  if (rules.length === 0 && blocks.length === 0 && !isFirstIpv6) return; // chains of IPv6 may not have been read before
  try {
    await reconcileForeignRules(context);
  } catch (error) {
    context.logger.error('chains of other firewalls could not be read or changed', { error: messageOf(error) });
  }
}

export function emitNetwork(
  context: Pick<ChangeNetworksDependencies, 'emit'>,
  action: 'create' | 'destroy',
  { id: networkId, name: networkName, driver }: NetworkRecord,
): void {
  context.emit({ action, networkId, networkName, driver });
}
