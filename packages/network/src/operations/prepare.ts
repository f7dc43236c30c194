/**
 * Start time: allocates, plans and applies the network side of one container. Everything is taken in memory first
 * without waiting for anything, then stored in one transaction, then made in the kernel in one `apply`; a failure
 * gives all of it back.
 */
import { mkdirSync } from 'node:fs';
import type { KeyedQueue, Logger } from '@netyard/core';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { ContainerDirectory, NetworkStore, SandboxState } from '../contract.ts';
import { type Sandbox, sandboxOf, save } from '../lookup.ts';
import { planRemoval, planSandbox, planSysctls } from '../plan/sandbox.ts';
import type { ContainerNames, InsideRepairs } from '../services.ts';
import type { AllocateDependencies } from './allocate.ts';
import { allocateSandbox, freeSandbox } from './allocate.ts';
import type { EndpointDependencies } from './endpoint.ts';
import { storeEndpoint, unstoreEndpoint } from './endpoint.ts';
import type { NotifyDependencies } from './endpoint-events.ts';
import { emitEndpoint } from './endpoint-events.ts';
import type { Departures } from './link-deletions.ts';
import type { ParentsDependencies } from './link-hosts-files.ts';
import { refreshParents } from './link-hosts-files.ts';
import type { LinksDependencies } from './links.ts';
import { checkLinks } from './links.ts';
import type { PortsDependencies } from './ports.ts';
import { flushUdpConntrack } from './ports.ts';
import { checkTogether } from './register.ts';
import type { ReleaseDependencies } from './release.ts';
import { releaseSandbox } from './release.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { type Prepared, planInput } from './sandbox-plan.ts';
import type { SharedDependencies } from './shared-namespace.ts';
import { joinedState, sharersOf } from './shared-namespace.ts';

/** What the functions of this file work on. */
export interface PrepareDependencies
  extends AllocateDependencies,
    EndpointDependencies,
    LinksDependencies,
    NotifyDependencies,
    ParentsDependencies,
    PortsDependencies,
    ReleaseDependencies,
    SandboxPlanDependencies,
    SharedDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly departures: Departures;
  readonly insides: InsideRepairs;
  readonly names: ContainerNames;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

export async function prepare(context: PrepareDependencies, containerId: string): Promise<SandboxState> {
  const state = await context.queue.run(containerId, () => prepareSandbox(context, sandboxOf(context, containerId)));
  if (state.sharedWith !== undefined) await noteSharer(context, containerId, state.sharedWith);
  // Environment of the own queue: parents wait for theirs, and two containers may link to each other.
  await refreshParents(context, containerId);
  for (const { networkId } of state.endpoints) emitEndpoint(context, 'connect', networkId, containerId);
  return state;
}

async function prepareSandbox(context: PrepareDependencies, sandbox: Sandbox): Promise<SandboxState> {
  if (sandbox.state) await releaseSandbox(context, sandbox);
  if (sandbox.config.mode.kind === 'container') {
    return joinSandbox(context, sandbox, sandbox.config.mode.ref);
  }
  checkTogether(sandbox.config); // records of older versions were not checked
  checkLinks(context, sandbox.config.containerId);
  try {
    return await makeSandbox(context, sandbox);
  } catch (error) {
    const code = isNetyardError(error) ? error.code : 'internal';
    const hint = isNetyardError(error) && error.hint !== undefined ? { hint: error.hint } : {};
    throw new NetyardError(code, `failed to set up container networking: ${messageOf(error)}`, {
      ...hint,
      cause: error,
    });
  }
}

/**
 * In the owner's queue, and before the sharer's process runs: one that may change the namespace makes that its own matter
 * for as long as the owner runs, and `--sysctl` settings that it brings are desired from now on.
 */
async function noteSharer(context: PrepareDependencies, sharerId: string, ownerId: string): Promise<void> {
  const isAdmin = context.containers.info(sharerId)?.netAdmin === true;
  if (!isAdmin && Object.keys(sandboxOf(context, sharerId).config.sysctls).length === 0) return;
  await context.queue.run(ownerId, () => {
    const owner = context.sandboxes.get(ownerId);
    if (!owner?.state) return;
    if (isAdmin) {
      owner.state = { ...owner.state, sharedWithAdmin: true };
      save(context, owner);
    }
    context.insides.settle(ownerId);
  });
}

/** A container's `--sysctl net.*` changes the namespace that it joins, as with Docker; never the host's own. */
async function joinSandbox(context: PrepareDependencies, sandbox: Sandbox, ref: string): Promise<SandboxState> {
  const { config } = sandbox;
  const state = joinedState(context, config, ref);
  const [key] = Object.keys(config.sysctls);
  if (key !== undefined && state.netnsPath === undefined)
    throw new NetyardError('invalid', `sysctl "${key}" not allowed in host network namespace`);
  const objects = state.netnsPath === undefined ? [] : planSysctls(config, state.netnsPath);
  if (objects.length > 0) await context.kernel.apply({ owner: `container ${config.name}`, objects });
  sandbox.state = state;
  context.store.putSandbox(config, state);
  return state;
}

async function makeSandbox(context: PrepareDependencies, sandbox: Sandbox): Promise<SandboxState> {
  const { config } = sandbox;
  const state = allocateSandbox(context, config);
  sandbox.state = state;
  const prepared: Prepared = { config, state };
  try {
    mkdirSync(config.filesDirectory, { recursive: true });
    storePrepared(context, prepared);
    const objects = planSandbox(planInput(context, prepared, { files: true }));
    context.ownDeletion();
    await context.kernel.apply({ owner: `container ${config.name}`, objects });
    await flushUdpConntrack(context, state.ports);
    context.names.settle(config.containerId);
    context.insides.settle(config.containerId);
    return state;
  } catch (error) {
    await undo(context, sandbox, prepared);
    throw error;
  }
}

/** Link holes towards containers that started meanwhile are part of what is taken away again. */
async function undo(context: PrepareDependencies, sandbox: Sandbox, prepared: Prepared): Promise<void> {
  const keepNamespace = sharersOf(context, prepared.config.containerId).length > 0;
  const objects = planRemoval(planInput(context, prepared, { files: false }), { keepNamespace });
  for (const { hostLink } of prepared.state.endpoints) if (hostLink !== '') context.departures.expect(hostLink);
  context.ownDeletion();
  try {
    await context.kernel.remove({ owner: `container ${prepared.config.name}`, objects });
  } catch (error) {
    context.logger.error('taking a half-made network down failed', {
      container: prepared.config.name,
      error: messageOf(error),
    });
  }
  sandbox.state = undefined;
  context.names.settle(prepared.config.containerId);
  context.insides.settle(prepared.config.containerId);
  freeSandbox(context, prepared.config, prepared.state);
  context.store.transaction(() => {
    for (const endpoint of prepared.state.endpoints) unstoreEndpoint(context, endpoint);
    context.store.putSandbox(prepared.config);
  });
}

function storePrepared(context: PrepareDependencies, { config, state }: Prepared): void {
  context.store.transaction(() => {
    context.store.putSandbox(config, state);
    for (const endpoint of state.endpoints) storeEndpoint(context, config.containerId, endpoint);
  });
}
