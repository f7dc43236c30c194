/** The host's part of the daemon's start: applies tables, bridges, peers and rules in foreign chains. Idempotent. */

import { type Logger, messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { EndpointRecord } from '../contract.ts';
import type { HostLinks } from '../host-links.ts';
import type { NetworkTable } from '../network-table.ts';
import { applyNetworks } from './apply-networks.ts';
import { type DefaultBridgeDependencies, reconcileDefaultBridge } from './default-bridge.ts';
import { describe } from './describe.ts';
import { type ForeignRulesDependencies, reconcileForeignRules } from './foreign-rules.ts';
import { readHost } from './host.ts';
import { findOrphans, type OrphansDependencies } from './orphans.ts';
import type { PlanNetworksDependencies } from './plan-networks.ts';

/** Dependencies of the functions in this file. */
export interface HostStartDependencies
  extends ForeignRulesDependencies,
    DefaultBridgeDependencies,
    OrphansDependencies,
    PlanNetworksDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly networks: NetworkTable;
  readonly peers: Peers;
  readonly attached: Map<string, EndpointRecord>;
  readonly hostLinks: HostLinks;
}

/**
 * Called when `hostLinks` has the interfaces of containers: the plans of networks contain the segments that they use.
 * @param alive ids of the attached that still run, whatever their recorded state
 */
export async function startHost(context: HostStartDependencies, alive: ReadonlySet<string>): Promise<void> {
  for (const { id, endpoint } of context.attached.values()) context.hostLinks.add(endpoint, id);
  await reconcileDefaultBridge(context, alive);
  await readHost(context); // after the bridge's record is updated: the facts depend on it
  await context.peers.adopt();
  await applyNetworks(context, [...context.networks.keys()]);
  context.facts = { ...context.facts, advertisedUplinks: [] };
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
