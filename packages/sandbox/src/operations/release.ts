/** Container stop: tears down what `prepare` set up, and releases addresses, ports and interface names. */

import type { KeyedQueue, Logger } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type { LinkDeletions } from '@netyard/network';
import {
  type EndpointDependencies,
  flushUdpConntrack,
  removeEmptySegments,
  type SegmentsDependencies,
  unstoreEndpoint,
} from '@netyard/network';
import type { NetworkStore, SandboxState } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { planRemoval } from '../plan/sandbox.ts';
import type { ContainerNames, NamespaceRepairs } from '../services.ts';
import { type AllocateDependencies, freeSandbox } from './allocate.ts';
import { formerEndpoints } from './endpoint.ts';
import { type EndpointEventsDependencies, emitEndpoint } from './endpoint-events.ts';
import type { PortsDependencies } from './ports.ts';
import { type Prepared, planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { type SharedNamespaceDependencies, sharersOf } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface ReleaseDependencies
  extends AllocateDependencies,
    EndpointDependencies,
    EndpointEventsDependencies,
    PortsDependencies,
    SandboxPlanDependencies,
    SegmentsDependencies,
    SharedNamespaceDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly store: NetworkStore;
  readonly sandboxes: Map<string, Sandbox>;
  readonly linkDeletions: Pick<LinkDeletions, 'expect'>;
  readonly namespaces: NamespaceRepairs;
  readonly names: ContainerNames;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

export async function release(context: ReleaseDependencies, containerId: string): Promise<void> {
  await context.queue.run(containerId, async () => {
    const sandbox = context.sandboxes.get(containerId);
    if (sandbox?.state) await releaseSandbox(context, sandbox);
  });
}

/**
 * Call inside the container's queue. A failed plan or kernel operation does not prevent the release: remaining objects
 * are found as orphans at the next start.
 */
export async function releaseSandbox(context: ReleaseDependencies, sandbox: Sandbox): Promise<void> {
  const { state } = sandbox;
  if (!state) return;
  if (state.sharedWith === undefined)
    sandbox.config = { ...sandbox.config, formerEndpoints: formerEndpoints(context, state.endpoints) };
  const { config } = sandbox;
  try {
    const objects = planAndClearState(context, sandbox, state);
    context.names.update(config.containerId, state.sharedWith); // first: open sockets would keep the namespace alive
    context.namespaces.updateWatch(config.containerId);
    context.ownDeletion();
    for (const { hostLink } of state.endpoints) if (hostLink !== '') context.linkDeletions.expect(hostLink);
    await context.kernel.remove({ owner: `container ${config.name}`, objects });
  } finally {
    freeSandbox(context, config, state);
    context.store.transaction(() => {
      for (const endpoint of state.endpoints) unstoreEndpoint(context, endpoint);
      context.store.putSandbox(config);
    });
  }
  await removeEmptySegments(context, state.endpoints);
  await flushUdpConntrack(context, state.ports);
  for (const { networkId } of state.endpoints) emitEndpoint(context, 'disconnect', networkId, config.containerId);
}

/** Clears the state first, so that the container has no network for other operations while the kernel deletes it. */
function planAndClearState(context: ReleaseDependencies, sandbox: Sandbox, state: SandboxState): KernelObject[] {
  try {
    return releasedObjects(context, { config: sandbox.config, state });
  } finally {
    sandbox.state = undefined;
  }
}

/** A namespace in use by other containers is kept; its owner uses it again at the next start. */
function releasedObjects(context: ReleaseDependencies, sandbox: Prepared): KernelObject[] {
  const { config, state } = sandbox;
  if (state.sharedWith !== undefined) return planOrphanedNamespace(context, config.containerId, state);
  const keepNamespace = sharersOf(context, config.containerId).length > 0;
  return planRemoval(planInput(context, sandbox, { files: false }), { keepNamespace });
}

/** The last sharer deletes the namespace if its owner has stopped. */
function planOrphanedNamespace(context: ReleaseDependencies, containerId: string, state: SandboxState): KernelObject[] {
  const { netnsPath, sharedWith } = state;
  if (netnsPath === undefined || sharedWith === undefined) return [];
  const others = sharersOf(context, sharedWith).some((sandbox) => sandbox.config.containerId !== containerId);
  const ownerRuns = context.sandboxes.get(sharedWith)?.state !== undefined;
  return others || ownerRuns ? [] : [{ kind: 'netns', path: netnsPath }];
}
