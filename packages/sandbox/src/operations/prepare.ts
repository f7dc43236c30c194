/**
 * Container start: allocates, plans and applies the network side of one container. The allocation in memory is
 * synchronous; it is then stored in one transaction and created in the kernel by one `apply`. A failure rolls all of it
 * back.
 */
import { errorCodeOf, isNetyardError, type KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { LinkDeletions } from '@netyard/network';
import {
  createSegments,
  type EndpointDependencies,
  flushUdpConntrack,
  removeEmptySegments,
  storeEndpoint,
  unstoreEndpoint,
} from '@netyard/network';
import type { ContainerDirectory, NetworkStore, SandboxState } from '../contract.ts';
import { type Sandbox, sandboxOf, save } from '../lookup.ts';
import { planDefaultSysctls, planRemoval, planSandbox, planSysctls } from '../plan/sandbox.ts';
import type { ContainerNames, NamespaceRepairs } from '../services.ts';
import { type AllocateDependencies, allocateSandbox, freeSandbox } from './allocate.ts';
import { resolvConfState } from './container-resolv-conf.ts';
import { type EndpointEventsDependencies, emitEndpoint } from './endpoint-events.ts';
import { type LinkHostsFilesDependencies, refreshParents } from './link-hosts-files.ts';
import { checkLinks, type LinksDependencies } from './links.ts';
import { type PortsDependencies, relayPublished } from './ports.ts';
import { checkTogether } from './register.ts';
import { type ReleaseDependencies, releaseSandbox } from './release.ts';
import { type Prepared, planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { joinedState, type SharedNamespaceDependencies, sharersOf } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface PrepareDependencies
  extends AllocateDependencies,
    EndpointDependencies,
    LinksDependencies,
    EndpointEventsDependencies,
    LinkHostsFilesDependencies,
    PortsDependencies,
    ReleaseDependencies,
    SandboxPlanDependencies,
    SharedNamespaceDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly linkDeletions: Pick<LinkDeletions, 'expect'>;
  readonly namespaces: NamespaceRepairs;
  readonly names: ContainerNames;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

export async function prepare(context: PrepareDependencies, containerId: string): Promise<SandboxState> {
  const state = await context.queue.run(containerId, () => prepareSandbox(context, sandboxOf(context, containerId)));
  if (state.sharedWith !== undefined) await noteSharer(context, containerId, state.sharedWith);
  // Outside of this container's queue: it waits for the parents' queues, and two containers may link to each other.
  await refreshParents(context, containerId);
  for (const { networkId } of state.endpoints) emitEndpoint(context, 'connect', networkId, containerId);
  return state;
}

async function prepareSandbox(context: PrepareDependencies, sandbox: Sandbox): Promise<SandboxState> {
  if (sandbox.state) await releaseSandbox(context, sandbox);
  if (sandbox.config.mode.kind === 'container') {
    return joinSandbox(context, sandbox, sandbox.config.mode.ref);
  }
  checkTogether(context, sandbox.config); // records of older versions were not checked
  checkLinks(context, sandbox.config.containerId);
  try {
    return await createSandbox(context, sandbox);
  } catch (error) {
    const code = errorCodeOf(error);
    const hint = isNetyardError(error) && error.hint !== undefined ? { hint: error.hint } : {};
    throw new NetyardError(code, `failed to set up container networking: ${messageOf(error)}`, {
      ...hint,
      cause: error,
    });
  }
}

/**
 * Runs in the owner's queue, before the sharer's process starts. Inside changes are not repaired while the owner runs if
 * the sharer has CAP_NET_ADMIN; `--sysctl` settings of the sharer become desired values.
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
    context.namespaces.updateWatch(ownerId);
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

async function createSandbox(context: PrepareDependencies, sandbox: Sandbox): Promise<SandboxState> {
  const { config } = sandbox;
  const state = allocateSandbox(context, config);
  sandbox.state = state;
  const prepared: Prepared = { config, state };
  try {
    const input = planInput(context, prepared, { files: true });
    Object.assign(state, resolvConfState(state, input.files?.resolvConf ?? ''));
    storePrepared(context, prepared);
    const objects = [...planSandbox(input), ...planDefaultSysctls(prepared)];
    await createSegments(context, state.endpoints);
    context.ownDeletion();
    await context.kernel.apply({ owner: `container ${config.name}`, objects });
    await flushUdpConntrack(context, state.ports);
    relayPublished(context, config, state);
    context.names.update(config.containerId);
    context.namespaces.updateWatch(config.containerId);
    return state;
  } catch (error) {
    await rollBack(context, sandbox, prepared);
    throw error;
  }
}

/** Also deletes link allow rules towards containers that started in the meantime. */
async function rollBack(context: PrepareDependencies, sandbox: Sandbox, prepared: Prepared): Promise<void> {
  const keepNamespace = sharersOf(context, prepared.config.containerId).length > 0;
  const objects = planRemoval(planInput(context, prepared, { files: false }), { keepNamespace });
  for (const { hostLink } of prepared.state.endpoints) if (hostLink !== '') context.linkDeletions.expect(hostLink);
  context.ownDeletion();
  try {
    await context.kernel.remove({ owner: `container ${prepared.config.name}`, objects });
  } catch (error) {
    context.logger.error('rolling back a container network failed', {
      container: prepared.config.name,
      error: messageOf(error),
    });
  }
  sandbox.state = undefined;
  context.names.update(prepared.config.containerId);
  context.namespaces.updateWatch(prepared.config.containerId);
  freeSandbox(context, prepared.config, prepared.state);
  await removeEmptySegments(context, prepared.state.endpoints);
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
