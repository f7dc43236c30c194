/** Applies a changed limit of the MTU (see `Peers.mtuLimit`) to bridges and to running containers. */
import { type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation } from '@netyard/kernel';
import type { NetworkRecord } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { planInterfaces } from '../plan/sandbox.ts';
import { type ExplainDependencies, planNetworks } from './explain.ts';
import { planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface MtuDependencies extends ExplainDependencies, SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly queue: KeyedQueue;
}

export async function applyMtu(context: MtuDependencies): Promise<KernelOperation[]> {
  const bridges = planNetworks(context, [...context.networks.keys()]).filter(({ kind }) => kind === 'bridge');
  const { operations } = await context.kernel.apply({ owner: 'networks', objects: bridges });
  for (const containerId of [...context.sandboxes.keys()])
    await context.queue.run(containerId, () => reconcileContainer(context, containerId));
  return operations;
}

async function reconcileContainer(context: MtuDependencies, containerId: string): Promise<void> {
  const sandbox = context.sandboxes.get(containerId);
  if (!sandbox?.state || sandbox.state.sharedWith !== undefined) return;
  const input = planInput(context, { config: sandbox.config, state: sandbox.state }, { files: false });
  const objects = planInterfaces(input);
  try {
    await context.kernel.apply({ owner: `container ${sandbox.config.name}`, objects });
  } catch (error) {
    context.logger.error('the MTU of a container could not be changed', {
      container: sandbox.config.name,
      error: messageOf(error),
    });
  }
}
