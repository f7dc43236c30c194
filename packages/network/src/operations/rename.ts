/**
 * Renaming. Links are kept by ids, so aliases go on working and `/old/alias` becomes `/new/alias` by itself; the new
 * name appears in a parent's hosts file at its next start, as in Docker.
 */

import type { KeyedQueue } from '@netyard/core';
import { isName, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkStore } from '../contract.ts';
import type { LinkIndex } from '../links/index.ts';
import type { Sandbox } from '../lookup.ts';
import { sandboxOf } from '../lookup.ts';
import { checkPublishable } from '../names/published-name.ts';
import { planVeth } from '../plan/endpoint.ts';
import { endpointInput, type SandboxPlanInput } from '../plan/sandbox.ts';
import type { ContainerNames } from '../services.ts';
import { dnsNames } from './endpoint.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { planInput } from './sandbox-plan.ts';

/** What the functions of this file work on. */
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
    context.names.settle(containerId);
    if (state) await relabel(context, planInput(context, { config, state }, { files: false }));
  });
}

/** The owner text on the host's end of each link names the container. */
async function relabel(context: RenameDependencies, input: SandboxPlanInput): Promise<void> {
  const objects = input.state.endpoints.flatMap((endpoint) => {
    const one = endpointInput(input, endpoint);
    return one ? [planVeth(one)] : [];
  });
  if (objects.length > 0) await context.kernel.apply({ owner: `container ${input.config.name}`, objects });
}
