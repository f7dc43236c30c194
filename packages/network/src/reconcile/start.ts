/**
 * The daemon's start: applies tables and bridges, adopts running containers, tears down stopped ones, and deletes
 * orphans. Idempotent.
 */

import { type Logger, messageOf, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { ContainerDirectory, NetworkRecord, NetworkSettings, NetworkStore } from '../contract.ts';
import { bridgeSettings, defaultBridgeOptions, parseBip } from '../drivers/bridge/options.ts';
import { planNetworkElements } from '../firewall/network.ts';
import { AddressPool } from '../ipam/pool.ts';
import type { Sandbox } from '../lookup.ts';
import type { BridgeSettings } from '../model.ts';
import type { PortTable } from '../ports/table.ts';
import type { NamespaceRepairs } from '../services.ts';
import { describe } from './describe.ts';
import { type ExplainDependencies, planNetworks } from './explain.ts';
import { type ForeignRulesDependencies, reconcileForeignRules, warnOfLegacyTables } from './foreign-rules.ts';
import { checkBridgeFits, chooseMtu, type HostDependencies, readHost } from './host.ts';
import { type LinkHostsFilesDependencies, refreshParents } from './link-hosts-files.ts';
import { loadLeases, type NetworksDependencies } from './networks.ts';
import { findOrphans, type OrphansDependencies } from './orphans.ts';
import { type RegisterDependencies, unregister } from './register.ts';
import { type ReleaseDependencies, releaseSandbox } from './release.ts';
import { type RepairSandboxDependencies, repairSandbox } from './repair-sandbox.ts';

/** Dependencies of the functions in this file. */
export interface StartDependencies
  extends ExplainDependencies,
    ForeignRulesDependencies,
    HostDependencies,
    NetworksDependencies,
    OrphansDependencies,
    LinkHostsFilesDependencies,
    RegisterDependencies,
    ReleaseDependencies,
    RepairSandboxDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly pools: Map<string, AddressPool>;
  readonly ports: PortTable;
  readonly hostLinks: Map<string, string>;
  readonly namespaces: NamespaceRepairs;
  readonly peers: Peers;
}

export async function start(
  context: StartDependencies,
  running: readonly string[],
  options: { keepUnknown?: boolean } = {},
): Promise<void> {
  const alive = new Set(running);
  await reconcileDefaultBridge(context, alive);
  await readHost(context); // after the bridge's record is updated: the facts depend on it
  await context.peers.adopt();
  const objects = planNetworks(context, [...context.networks.keys()]);
  await context.kernel.apply({ owner: 'networks', objects });
  await context.peers.reconcile('all');
  await reconcileForeignChains(context);
  await dropStopped(context, alive);
  for (const sandbox of context.sandboxes.values()) await adopt(context, sandbox);
  // A target may have got its address just before a crash, so parents may have stale lines.
  for (const containerId of context.sandboxes.keys()) await refreshParents(context, containerId);
  const orphans = await findOrphans(context, { keepDesired: true });
  if (orphans.length === 0) return;
  if (options.keepUnknown) {
    context.logger.warn('keeping network objects that no plan references: a container without a record runs', {
      objects: orphans.map(describe),
    });
  } else await removeOrphans(context, orphans);
}

/** A foreign chain that cannot be read or changed does not prevent the start. */
async function reconcileForeignChains(context: StartDependencies): Promise<void> {
  try {
    warnOfLegacyTables(context);
    await reconcileForeignRules(context);
  } catch (error) {
    context.logger.error('chains of other firewalls could not be read or changed', { error: messageOf(error) });
  }
}

/** Applies changed daemon flags to the record of the default bridge. */
async function reconcileDefaultBridge(context: StartDependencies, alive: ReadonlySet<string>): Promise<void> {
  const record = [...context.networks.values()].find((network) => network.name === 'bridge');
  if (!record) throw new NetyardError('internal', 'the default bridge has no record');
  const before = bridgeSettings(record);
  const options = defaultBridgeOptions(context.settings, await chooseMtu(context));
  const next: NetworkRecord = { ...record, options, ipam: { ...record.ipam, pools: [parseBip(context.settings)] } };
  const after = bridgeSettings(next);
  await checkBridgeFits(context, after);
  const moved = before.link !== after.link || before.subnet !== after.subnet || before.gateway !== after.gateway;
  if (moved) rejectWhileUsed(context, alive, before, after);
  context.store.putNetwork(next);
  context.networks.set(next.id, next);
  const pool = new AddressPool(parseBip(context.settings));
  loadLeases(context, next.id, pool);
  context.pools.set(next.id, pool);
  await removeOldBridge(context, before, after);
}

function rejectWhileUsed(
  context: StartDependencies,
  alive: ReadonlySet<string>,
  before: BridgeSettings,
  after: BridgeSettings,
): void {
  const users = [...context.sandboxes.values()].filter(
    ({ config, state }) =>
      alive.has(config.containerId) && state?.endpoints.some((endpoint) => endpoint.networkId === before.networkId),
  );
  if (users.length === 0) return;
  const names = users.map(({ config }) => config.name).join(', ');
  throw new NetyardError(
    'conflict',
    `cannot move the default bridge from ${before.gateway}/${before.prefixLength} on ${before.link} to ${after.gateway}/${after.prefixLength} on ${after.link}: containers run on it (${names})`,
    { hint: 'start the daemon with the former options, stop the containers, then change the address' },
  );
}

async function removeOldBridge(
  context: StartDependencies,
  before: BridgeSettings,
  after: BridgeSettings,
): Promise<void> {
  const desired = new Set(planNetworkElements(after).map(({ set, key }) => `${set} ${key}`));
  const objects: KernelObject[] = planNetworkElements(before).filter(({ set, key }) => !desired.has(`${set} ${key}`));
  const prefix = `${before.gateway}/${before.prefixLength}`;
  if (before.link !== after.link) objects.unshift({ kind: 'bridge', name: before.link, up: false });
  else if (prefix !== `${after.gateway}/${after.prefixLength}`)
    objects.unshift({ kind: 'address', link: before.link, prefix });
  if (objects.length > 0) await context.kernel.remove({ owner: 'network bridge', objects });
}

/** Sharers first: an owner's namespace is deleted only when it has no sharers. */
async function dropStopped(context: StartDependencies, alive: ReadonlySet<string>): Promise<void> {
  const stopped = [...context.sandboxes.values()].filter(({ config }) => !alive.has(config.containerId));
  const sharers = stopped.filter(({ state }) => state?.sharedWith !== undefined);
  const owners = stopped.filter(({ state }) => state !== undefined && state.sharedWith === undefined);
  for (const sandbox of [...sharers, ...owners]) {
    try {
      await releaseSandbox(context, sandbox);
    } catch (error) {
      reportFailure(context, 'a stopped container could not be torn down completely', sandbox, error);
    }
  }
  // After a crash between the two writes, the network store may have a container that the engine does not know.
  for (const { config } of stopped)
    if (!context.containers.info(config.containerId)) unregister(context, config.containerId);
}

async function adopt(context: StartDependencies, sandbox: Sandbox): Promise<void> {
  const { config, state } = sandbox;
  if (!state) return;
  for (const endpoint of state.endpoints)
    if (endpoint.hostLink !== '') context.hostLinks.set(endpoint.hostLink, config.containerId);
  for (const port of state.ports) {
    const failure = context.ports.adopt(port, config.containerId);
    if (failure) reportFailure(context, 'a published port could not be reserved again', sandbox, failure);
  }
  try {
    await repairSandbox(context, sandbox);
    context.namespaces.updateWatch(config.containerId);
  } catch (error) {
    reportFailure(context, 'a running container could not be repaired', sandbox, error);
  }
}

async function removeOrphans(context: StartDependencies, objects: readonly KernelObject[]): Promise<void> {
  context.logger.warn('removing network objects that no plan references', { objects: objects.map(describe) });
  try {
    await context.kernel.remove({ owner: 'orphans', objects });
  } catch (error) {
    context.logger.error('removing orphaned network objects failed', { error: messageOf(error) });
  }
}

function reportFailure(context: StartDependencies, what: string, sandbox: Sandbox, error: unknown): void {
  context.logger.error(what, { container: sandbox.config.name, error: messageOf(error) });
}
