/**
 * Updates the hosts files of running parents when a link's target starts, stops or changes its address. Edits single
 * lines of the current file in place, so that the container's bind mount and the user's own lines are kept.
 */
import { type KeyedQueue, type Logger, messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { LinkRecord } from '../contract.ts';
import { ownNames, updateLinkLines } from '../files/hosts.ts';
import type { LinkIndex } from '../links/index.ts';
import type { Sandbox } from '../lookup.ts';
import { hostnameOf, linkEndpoint, linkEntries, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface LinkHostsFilesDependencies extends SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly queue: KeyedQueue;
}

/** Longest hosts file whose lines follow. The container may write what it likes to it, and each line takes time. */
const longestHosts = 256 * 1024;

/**
 * Rewrites a running container's hosts file; call inside its queue. Does nothing when the text is unchanged, or too long.
 */
export async function editHosts(
  context: LinkHostsFilesDependencies,
  containerId: string,
  edit: (text: string) => string,
): Promise<void> {
  const { state, config } = context.sandboxes.get(containerId) ?? {};
  if (!state || state.sharedWith !== undefined) return;
  const result = await context.kernel.editFile(state.files.hosts, longestHosts, edit);
  if (result === 'done') return;
  const error = result === 'missing' ? 'it does not exist' : `it is longer than ${longestHosts} bytes`;
  context.logger.error('a hosts file could not be updated', { container: config?.name, error });
}

/** Updates the line in each running parent after a target got its address. A failure is logged; the child's start succeeds. */
export async function refreshParents(context: LinkHostsFilesDependencies, childId: string): Promise<void> {
  if (!linkEndpoint(context, childId)) return;
  const links = context.links.ofChild(childId).filter((link) => linkEndpoint(context, link.parentId));
  await Promise.all(
    links.map(async (link) => {
      try {
        await context.queue.run(link.parentId, () => refreshLine(context, link));
      } catch (error) {
        context.logger.error("a parent's hosts file could not be updated", {
          parent: link.parentId,
          alias: link.alias,
          error: messageOf(error),
        });
      }
    }),
  );
}

async function refreshLine(context: LinkHostsFilesDependencies, link: LinkRecord): Promise<void> {
  const parent = context.sandboxes.get(link.parentId)?.config;
  const entries = linkEntries(context, link);
  if (!parent || entries.length === 0) return;
  const [own = ''] = ownNames(hostnameOf(parent), parent.domainname);
  await editHosts(context, link.parentId, (text) => updateLinkLines(text, link.alias, entries, own));
}
