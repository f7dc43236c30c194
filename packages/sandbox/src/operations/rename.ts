/**
 * Renames a container. Its links are stored by ids, so aliases stay valid and `/old/alias` becomes `/new/alias`. The new
 * name appears in a parent's hosts file at its next start, as in Docker.
 */

import { isName, type KeyedQueue, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkStore } from '../contract.ts';
import type { LinkIndex } from '../links/index.ts';
import { type Sandbox, sandboxOf } from '../lookup.ts';
import { checkPublishable } from '../names/published-name.ts';
import { planInterfaces, type SandboxPlanInput } from '../plan/sandbox.ts';
import type { ContainerNames } from '../services.ts';
import { dnsNames } from './endpoint.ts';
import { planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface RenameDependencies extends SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly names: ContainerNames;
  readonly queue: KeyedQueue;
}

export async function rename(context: RenameDependencies, containerId: string, name: string): Promise<void> {
  if (!isName(name)) throw new NetyardError('invalid', `Invalid container name (${name})`);
  await context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    if (sandbox.config.publishName === true) checkPublishable(name);
    const renamed = context.links.ofChild(containerId).map((link) => ({ ...link, targetName: name }));
    const config = { ...sandbox.config, name };
    const state = sandbox.state && {
      ...sandbox.state,
      endpoints: sandbox.state.endpoints.map((endpoint) =>
        endpoint.dnsNames.length === 0 ? endpoint : { ...endpoint, dnsNames: dnsNames(config, endpoint.aliases) },
      ),
    };
    context.store.transaction(() => {
      context.store.putSandbox(config, state);
      for (const link of renamed) context.store.putLink(link);
    });
    sandbox.config = config;
    sandbox.state = state;
    for (const link of renamed) context.links.put(link);
    context.names.update(containerId);
    if (state) await updateOwnerTexts(context, planInput(context, { config, state }, { files: false }));
  });
}

/** The owner text of each host-side interface contains the container's name. */
async function updateOwnerTexts(context: RenameDependencies, input: SandboxPlanInput): Promise<void> {
  const objects = planInterfaces(input);
  if (objects.length > 0) await context.kernel.apply({ owner: `container ${input.config.name}`, objects });
}
