/** Shows containers as attachments to the side that reconciles networks. */
import { type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type { Attached, Attachments } from '@netyard/network';
import type { Sandbox } from '../lookup.ts';
import { planInterfaces, planSandbox, type SandboxPlanInput } from '../plan/sandbox.ts';
import { type RepairSandboxDependencies, repairSandbox } from './repair-sandbox.ts';
import { planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface AttachmentsDependencies extends RepairSandboxDependencies, SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly queue: KeyedQueue;
}

export function openAttachments(context: () => AttachmentsDependencies): Attachments {
  return {
    ids: () => context().sandboxes.keys(),
    running: () => [...context().sandboxes.values()].flatMap((sandbox) => attachedOf(sandbox) ?? []),
    get(id) {
      const sandbox = context().sandboxes.get(id);
      return sandbox && attachedOf(sandbox);
    },
    plan(id): KernelObject[] {
      const input = inputOf(context(), id);
      return input ? planSandbox(input) : [];
    },
    repair: (id) =>
      context().queue.run(id, async () => {
        const sandbox = context().sandboxes.get(id);
        return sandbox ? await repairSandbox(context(), sandbox) : [];
      }),
    async applyMtu(change) {
      const { queue, sandboxes } = context();
      for (const id of [...sandboxes.keys()]) await queue.run(id, () => applyMtuOf({ ...context(), ...change }, id));
    },
  };
}

function attachedOf({ config, state, detaching }: Sandbox): Attached | undefined {
  if (!state) return undefined;
  const { netnsPath, endpoints, ports } = state;
  const { containerId: id, name } = config;
  return {
    id,
    name,
    ...(netnsPath === undefined ? {} : { netnsPath }),
    endpoints,
    ports,
    ...(detaching ? { detaching } : {}),
  };
}

function inputOf(context: AttachmentsDependencies, id: string): SandboxPlanInput | undefined {
  const { config, state } = context.sandboxes.get(id) ?? {};
  return config && state && planInput(context, { config, state }, { files: false });
}

async function applyMtuOf(context: AttachmentsDependencies, id: string): Promise<void> {
  const input = inputOf(context, id);
  if (!input || input.state.sharedWith !== undefined) return;
  const { name } = input.config;
  try {
    await context.kernel.apply({ owner: `container ${name}`, objects: planInterfaces(input) });
  } catch (error) {
    context.logger.error('the MTU of a container could not be changed', { container: name, error: messageOf(error) });
  }
}
