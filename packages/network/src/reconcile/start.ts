/** The host's part of the daemon's start: applies tables, bridges, peers and rules in foreign chains. Idempotent. */

import { type Logger, messageOf, NetyardError, parsePrefix, prefixesOverlap } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { HostStore, NetworkRecord, NetworkSettings } from '../contract.ts';
import { bridgeSettings, defaultBridgeOptions, parseBip } from '../drivers/bridge/options.ts';
import { planNetworkElements } from '../firewall/network.ts';
import { NetworkPools } from '../ipam/network-pools.ts';
import type { BridgeSettings } from '../model.ts';
import { subnetsOf } from '../network-table.ts';
import { loadLeases, type NetworksDependencies } from '../networks.ts';
import { applyNetworks } from './apply-networks.ts';
import { describe } from './describe.ts';
import { type ForeignRulesDependencies, reconcileForeignRules } from './foreign-rules.ts';
import { checkBridgeFits, chooseMtu, type HostDependencies, readHost } from './host.ts';
import { findOrphans, type OrphansDependencies } from './orphans.ts';
import type { PlanNetworksDependencies } from './plan-networks.ts';

/** Dependencies of the functions in this file. */
export interface HostStartDependencies
  extends ForeignRulesDependencies,
    HostDependencies,
    NetworksDependencies,
    OrphansDependencies,
    PlanNetworksDependencies {
  readonly kernel: Kernel;
  readonly store: HostStore;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
  readonly pools: Map<string, NetworkPools>;
  readonly peers: Peers;
}

/** `alive`: ids of the attached that still run, whatever their recorded state. */
export async function startHost(context: HostStartDependencies, alive: ReadonlySet<string>): Promise<void> {
  await reconcileDefaultBridge(context, alive);
  await readHost(context); // after the bridge's record is updated: the facts depend on it
  await context.peers.adopt();
  await applyNetworks(context, [...context.networks.keys()]);
  await context.peers.reconcile('all');
  await reconcileForeignChains(context);
}

/** A foreign chain that cannot be read or changed does not prevent the start. */
async function reconcileForeignChains(context: HostStartDependencies): Promise<void> {
  try {
    await reconcileForeignRules(context);
  } catch (error) {
    context.logger.error('chains of other firewalls could not be read or changed', { error: messageOf(error) });
  }
}

/** Applies changed daemon flags to the record of the default bridge. */
async function reconcileDefaultBridge(context: HostStartDependencies, alive: ReadonlySet<string>): Promise<void> {
  const record = [...context.networks.values()].find((network) => network.name === 'bridge');
  if (!record) throw new NetyardError('internal', 'the default bridge has no record');
  const before = bridgeSettings(record);
  const options = defaultBridgeOptions(context.settings, await chooseMtu(context));
  const next: NetworkRecord = { ...record, options, ipam: { ...record.ipam, v4: [parseBip(context.settings)] } };
  const after = bridgeSettings(next);
  rejectOverlap(context, after);
  await checkBridgeFits(context, after);
  const moved =
    before.link !== after.link || before.v4?.subnet !== after.v4?.subnet || before.v4?.gateway !== after.v4?.gateway;
  if (moved) rejectWhileUsed(context, alive, before, after);
  context.store.putNetwork(next);
  context.networks.set(next.id, next);
  const pools = new NetworkPools(next.ipam);
  loadLeases(context, next.id, pools);
  context.pools.set(next.id, pools);
  await removeOldBridge(context, before, after);
}

function rejectOverlap(context: HostStartDependencies, { networkId, v4 }: BridgeSettings): void {
  if (v4 === undefined) return;
  for (const record of context.networks.values()) {
    const { id, name } = record;
    const overlapping = subnetsOf(record).find((one) => prefixesOverlap(parsePrefix(one), parsePrefix(v4.subnet)));
    if (id === networkId || overlapping === undefined) continue;
    const { bip } = context.settings;
    throw new NetyardError('conflict', `bip ${bip} overlaps with the subnet ${overlapping} of network ${name}`, {
      hint: 'choose another subnet with --bip, or start the daemon with the former one and remove the network',
    });
  }
}

function rejectWhileUsed(
  context: HostStartDependencies,
  alive: ReadonlySet<string>,
  before: BridgeSettings,
  after: BridgeSettings,
): void {
  const users = context.attachments
    .running()
    .filter(({ id, endpoints }) => alive.has(id) && endpoints.some(({ networkId }) => networkId === before.networkId));
  if (users.length === 0) return;
  const names = users.map(({ name }) => name).join(', ');
  throw new NetyardError(
    'conflict',
    `cannot move the default bridge from ${before.v4?.address} on ${before.link} to ${after.v4?.address} on ${after.link}: containers run on it (${names})`,
    { hint: 'start the daemon with the former options, stop the containers, then change the address' },
  );
}

async function removeOldBridge(
  context: HostStartDependencies,
  before: BridgeSettings,
  after: BridgeSettings,
): Promise<void> {
  const desired = new Set(planNetworkElements(after).map(({ set, key }) => `${set} ${key}`));
  const objects: KernelObject[] = planNetworkElements(before).filter(({ set, key }) => !desired.has(`${set} ${key}`));
  const prefix = before.v4?.address;
  if (before.link !== after.link) objects.unshift({ kind: 'bridge', name: before.link, up: false });
  else if (prefix !== undefined && prefix !== after.v4?.address)
    objects.unshift({ kind: 'address', link: before.link, prefix });
  if (objects.length > 0) await context.kernel.remove({ owner: 'network bridge', objects });
}

/** Deletes Netyard's objects that no plan references. With `keepUnknown` they are only logged. */
export async function removeOrphans(
  context: HostStartDependencies,
  { keepUnknown = false }: { keepUnknown?: boolean },
): Promise<void> {
  const orphans = await findOrphans(context, { keepDesired: true });
  if (orphans.length === 0) return;
  const objects = orphans.map(describe);
  if (keepUnknown) {
    context.logger.warn('keeping network objects that no plan references: a container without a record runs', {
      objects,
    });
    return;
  }
  context.logger.warn('removing network objects that no plan references', { objects });
  try {
    await context.kernel.remove({ owner: 'orphans', objects: orphans });
  } catch (error) {
    context.logger.error('removing orphaned network objects failed', { error: messageOf(error) });
  }
}
