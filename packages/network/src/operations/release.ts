/** Stop time: takes down what `prepare` made and gives addresses, ports and link names back. */

import type { KeyedQueue } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation } from '@netyard/kernel';
import type { NetworkStore, SandboxState } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { planRemoval } from '../plan/sandbox.ts';
import type { ContainerNames, InsideRepairs } from '../services.ts';
import type { AllocateDependencies } from './allocate.ts';
import { freeSandbox } from './allocate.ts';
import type { EndpointDependencies } from './endpoint.ts';
import { unstoreEndpoint } from './endpoint.ts';
import type { NotifyDependencies } from './endpoint-events.ts';
import { emitEndpoint } from './endpoint-events.ts';
import type { Departures } from './link-deletions.ts';
import type { PortsDependencies } from './ports.ts';
import { flushUdpConntrack } from './ports.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { type Prepared, planInput } from './sandbox-plan.ts';
import type { SharedDependencies } from './shared-namespace.ts';
import { sharersOf } from './shared-namespace.ts';

/** What the functions of this file work on. */
export interface ReleaseDependencies
  extends AllocateDependencies,
    EndpointDependencies,
    NotifyDependencies,
    PortsDependencies,
    SandboxPlanDependencies,
    SharedDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly sandboxes: Map<string, Sandbox>;
  readonly departures: Departures;
  readonly insides: InsideRepairs;
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

/** What `release` would take away. */
export async function planRelease(context: ReleaseDependencies, containerId: string): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const sandbox = context.sandboxes.get(containerId);
    if (!sandbox?.state) return [];
    const { config, state } = sandbox;
    const plan = { owner: `container ${config.name}`, objects: releasedObjects(context, { config, state }) };
    return (await context.kernel.remove(plan, { dryRun: true })).operations;
  });
}

/**
 * Inside the container's queue. A failure to plan or in the kernel does not keep the container: what it left is found
 * as an orphan at start.
 */
export async function releaseSandbox(context: ReleaseDependencies, sandbox: Sandbox): Promise<void> {
  const { config, state } = sandbox;
  if (!state) return;
  try {
    const objects = takeReleased(context, sandbox, state);
    context.names.settle(config.containerId, state.sharedWith); // its name server goes first: open sockets would keep the namespace
    context.insides.settle(config.containerId);
    context.ownDeletion();
    for (const { hostLink } of state.endpoints) if (hostLink !== '') context.departures.expect(hostLink);
    await context.kernel.remove({ owner: `container ${config.name}`, objects });
  } finally {
    freeSandbox(context, config, state);
    context.store.transaction(() => {
      for (const endpoint of state.endpoints) unstoreEndpoint(context, endpoint);
      context.store.putSandbox(config);
    });
  }
  await flushUdpConntrack(context, state.ports);
  for (const { networkId } of state.endpoints) emitEndpoint(context, 'disconnect', networkId, config.containerId);
}

/** From here on the container has no network, for everybody who looks while the kernel takes it away. */
function takeReleased(context: ReleaseDependencies, sandbox: Sandbox, state: SandboxState): KernelObject[] {
  try {
    return releasedObjects(context, { config: sandbox.config, state });
  } finally {
    sandbox.state = undefined;
  }
}

/** Not for a sharer, nor while others share: their namespace stays, and the owner comes back into it. */
function releasedObjects(context: ReleaseDependencies, sandbox: Prepared): KernelObject[] {
  const { config, state } = sandbox;
  if (state.sharedWith !== undefined) return planOrphanedNamespace(context, config.containerId, state);
  const keepNamespace = sharersOf(context, config.containerId).length > 0;
  return planRemoval(planInput(context, sandbox, { files: false }), { keepNamespace });
}

/** The last sharer to leave takes the namespace along when its owner is gone already. */
function planOrphanedNamespace(context: ReleaseDependencies, containerId: string, state: SandboxState): KernelObject[] {
  const { netnsPath, sharedWith } = state;
  if (netnsPath === undefined || sharedWith === undefined) return [];
  const others = sharersOf(context, sharedWith).some((sandbox) => sandbox.config.containerId !== containerId);
  const ownerRuns = context.sandboxes.get(sharedWith)?.state !== undefined;
  return others || ownerRuns ? [] : [{ kind: 'netns', path: netnsPath }];
}
