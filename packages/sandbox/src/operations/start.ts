/** The daemon's start: the host's part, then running containers are adopted and stopped ones torn down. Idempotent. */

import { type Logger, messageOf } from '@netyard/core';
import type { AttachedDependencies, LinkDeletions, NetworkTable, PortTable } from '@netyard/network';
import { adoptEndpoints, type HostLinks, type HostStartDependencies, removeOrphans, startHost } from '@netyard/network';
import type { ContainerDirectory, NetworkStore } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import type { NamespaceRepairs } from '../services.ts';
import { planResolvConf } from './container-resolv-conf.ts';
import { type LinkHostsFilesDependencies, refreshParents } from './link-hosts-files.ts';
import { dropLostAddresses, type LostAddressesDependencies } from './lost-addresses.ts';
import { dropOwnerless, type ReserveDependencies, reserveUnheld } from './networks.ts';
import { relayPublished } from './ports.ts';
import { type RegisterDependencies, unregister } from './register.ts';
import { type ReleaseDependencies, releaseSandbox } from './release.ts';
import { type RepairSandboxDependencies, repairSandbox } from './repair-sandbox.ts';

/** Dependencies of the functions in this file. */
export interface StartDependencies
  extends AttachedDependencies,
    HostStartDependencies,
    LinkHostsFilesDependencies,
    LostAddressesDependencies,
    RegisterDependencies,
    ReleaseDependencies,
    RepairSandboxDependencies,
    ReserveDependencies {
  readonly networks: NetworkTable;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly ports: PortTable;
  readonly hostLinks: HostLinks;
  readonly linkDeletions: LinkDeletions;
  readonly namespaces: NamespaceRepairs;
}

export async function start(
  context: StartDependencies,
  running: readonly string[],
  options: { keepUnknown?: boolean } = {},
): Promise<void> {
  const alive = new Set(running);
  for (const { config, state } of context.sandboxes.values())
    for (const endpoint of state?.endpoints ?? []) context.hostLinks.add(endpoint, config.containerId);
  await startHost(context, new Set([...alive, ...context.attached.keys()]));
  await dropStopped(context, alive);
  for (const sandbox of context.sandboxes.values()) await adopt(context, sandbox);
  if (!options.keepUnknown) dropOwnerless(context);
  reserveUnheld(context);
  await adoptEndpoints(context);
  // A target may have got its address just before a crash, so parents may have stale lines.
  for (const containerId of context.sandboxes.keys()) await refreshParents(context, containerId);
  await removeOrphans(context, options);
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
  for (const port of state.ports) {
    const failure = context.ports.adopt(port, config.containerId);
    if (failure) reportFailure(context, 'a published port could not be reserved again', sandbox, failure);
  }
  relayPublished(context, config, state);
  try {
    await dropLostAddresses(context, sandbox);
    await repairSandbox(context, sandbox);
    await finishResolvConf(context, sandbox);
    context.namespaces.updateWatch(config.containerId);
  } catch (error) {
    reportFailure(context, 'a running container could not be repaired', sandbox, error);
  }
}

/** A daemon that was killed while the container joined its first user-defined network has not written the file. */
async function finishResolvConf(context: StartDependencies, sandbox: Sandbox): Promise<void> {
  const { config, state } = sandbox;
  if (!state || state.sharedWith !== undefined) return;
  const planned = planResolvConf(context, { config, state });
  if (planned.state === state) return;
  await context.kernel.apply({ owner: `container ${config.name}`, objects: planned.objects });
  sandbox.state = planned.state;
  context.store.putSandbox(config, planned.state);
}

function reportFailure(context: StartDependencies, what: string, sandbox: Sandbox, error: unknown): void {
  context.logger.error(what, { container: sandbox.config.name, error: messageOf(error) });
}
