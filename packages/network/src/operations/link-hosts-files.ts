/**
 * Keeps the hosts files of running parents right while a target comes, goes and changes its address: single lines of
 * the file as it is now, rewritten in place, so that the container's bind mount and the user's own lines stay.
 */
import { readFileSync } from 'node:fs';
import type { KeyedQueue, Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { FileObject, Kernel } from '@netyard/kernel';
import type { LinkRecord } from '../contract.ts';
import { ownNames, updateLinkLines } from '../files/hosts.ts';
import type { LinkIndex } from '../links/index.ts';
import type { Sandbox } from '../lookup.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { hostnameOf, linkEndpoint, linkEntries } from './sandbox-plan.ts';

/** What the functions of this file work on. */
export interface ParentsDependencies extends SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly queue: KeyedQueue;
}

/** Rewrites a running container's hosts file, inside its queue. Does nothing when the text stays the same. */
export async function editHosts(
  context: ParentsDependencies,
  containerId: string,
  edit: (text: string) => string,
): Promise<void> {
  const objects = planHosts(context, containerId, edit);
  const name = context.sandboxes.get(containerId)?.config.name;
  if (objects.length > 0) await context.kernel.apply({ owner: `container ${name}`, objects });
}

/** A running container's hosts file as it is to become; nothing when the text stays the same. */
export function planHosts(
  context: ParentsDependencies,
  containerId: string,
  edit: (text: string) => string,
): FileObject[] {
  const state = context.sandboxes.get(containerId)?.state;
  if (!state || state.sharedWith !== undefined) return [];
  const path = state.files.hosts;
  const before = readFileSync(path, 'utf8');
  const content = edit(before);
  return content === before ? [] : [{ kind: 'file', path, content }];
}

/** After a target got its address: each running parent's line follows. A failure there is told, not the child's. */
export async function refreshParents(context: ParentsDependencies, childId: string): Promise<void> {
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

async function refreshLine(context: ParentsDependencies, link: LinkRecord): Promise<void> {
  const parent = context.sandboxes.get(link.parentId)?.config;
  const entries = linkEntries(context, link);
  if (!parent || entries.length === 0) return;
  const [own = ''] = ownNames(hostnameOf(parent), parent.domainname);
  await editHosts(context, link.parentId, (text) => updateLinkLines(text, link.alias, entries, own));
}
