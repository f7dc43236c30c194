/** What links do at runtime: the check before start and exec, environment variables, lookup by name, and `rm --link`. */

import { type KeyedQueue, NetyardError } from '@netyard/core';
import type { Kernel, NftElementObject } from '@netyard/kernel';
import type { ContainerDirectory, LinkRecord, NetworkSettings, NetworkStore, RemoteTarget } from '../contract.ts';
import { removeLinkLines } from '../files/hosts.ts';
import { checkLink } from '../links/check.ts';
import { linkEnvironment as environmentOf } from '../links/environment.ts';
import type { LinkIndex } from '../links/index.ts';
import { parseLink, splitLinkName } from '../links/parse.ts';
import { type Sandbox, sandboxOf } from '../lookup.ts';
import type { LinkHostsFilesDependencies } from './link-hosts-files.ts';
import { editOwnHosts } from './own-hosts-lines.ts';
import type { RemoteLinks } from './remote-links.ts';
import { linkAllowRules, linkEndpoint, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface LinksDependencies extends LinkHostsFilesDependencies, SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly dangling: Set<LinkRecord>;
  readonly remoteLinks: Pick<RemoteLinks, 'reconcile'>;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

/** A link has an effect on the default bridge only; a parent outside of it has none to check. */
export function checkLinks(context: LinksDependencies, containerId: string): void {
  const { config } = sandboxOf(context, containerId);
  if (!config.endpoints.some((endpoint) => endpoint.network === 'bridge')) return;
  for (const link of context.links.ofParent(containerId)) {
    if (link.remote) {
      checkRemote(config.name, link.alias, link.remote);
      continue;
    }
    const child = context.sandboxes.get(link.childId);
    const state = context.containers.info(link.childId)?.state;
    checkLink({
      parentName: config.name,
      alias: link.alias,
      childName: child?.config.name ?? link.targetName ?? link.childId,
      childId: link.childId,
      childRuns: child !== undefined && (state === 'running' || state === 'paused' || state === 'restarting'),
      childOnBridge: linkEndpoint(context, link.childId) !== undefined,
    });
  }
}

/** The last known address is sufficient: after a power failure the start order of hosts must not matter. */
function checkRemote(parent: string, alias: string, { host, name, at }: RemoteTarget): void {
  if (at.address !== '') return;
  throw new NetyardError('failed', `Cannot link to a non running container: /${host}/${name} AS /${parent}/${alias}`);
}

export function linkEnvironment(context: LinksDependencies, containerId: string): string[] {
  if (!context.settings.legacyLinkEnvironment || !linkEndpoint(context, containerId)) return [];
  const parentName = sandboxOf(context, containerId).config.name;
  return context.links.ofParent(containerId).flatMap((link) => {
    const endpoint = linkEndpoint(context, link.childId);
    const child = context.sandboxes.get(link.childId)?.config;
    if (!endpoint || !child) return [];
    return environmentOf({
      parentName,
      alias: link.alias,
      childAddress: endpoint.addresses.v4?.address ?? '',
      childEnvironment: context.containers.info(link.childId)?.env ?? [],
      exposed: child.exposed,
    });
  });
}

export function findLink(context: LinksDependencies, name: string): LinkRecord | undefined {
  const parts = splitLinkName(name);
  const parentId = parts && parentIdOf(context, parts.parent);
  return parts && parentId !== undefined ? context.links.get(parentId, parts.alias) : undefined;
}

function parentIdOf(context: LinksDependencies, name: string): string | undefined {
  return context.containers.find(name);
}

/** Keeps the lines of other links. Also deletes the link from the stored config, so that a restart does not restore it. */
export async function removeLink(context: LinksDependencies, name: string): Promise<void> {
  const parentId = parentOfLink(context, name);
  await context.queue.run(parentId, async () => {
    const { parent = '', alias = '' } = splitLinkName(name) ?? {};
    const link = context.links.get(parentId, alias);
    if (!link) throw new NetyardError('not-found', `No such container: ${parent}/${alias}`);
    await dropLink(context, link);
  });
}

/** The container that the link belongs to. Throws for a name that is no link's, with Docker's messages. */
export function parentOfLink(context: LinksDependencies, name: string): string {
  const parts = splitLinkName(name);
  if (!parts) {
    throw new NetyardError('failed', 'Conflict, cannot remove the default link name of the container', {
      hint: 'name the link as PARENT/ALIAS',
    });
  }
  const parentId = parentIdOf(context, parts.parent);
  if (parentId !== undefined) return parentId;
  throw new NetyardError('failed', `Cannot get parent /${parts.parent} for link name /${parts.parent}/${parts.alias}`);
}

async function dropLink(context: LinksDependencies, link: LinkRecord): Promise<void> {
  const sandbox = sandboxOf(context, link.parentId);
  const objects = ownAllowRules(context, link);
  const config = {
    ...sandbox.config,
    links: sandbox.config.links.filter((text) => parseLink(text).alias !== link.alias),
  };
  context.store.transaction(() => {
    context.store.deleteLink(link);
    context.store.putSandbox(config, sandbox.state);
  });
  sandbox.config = config;
  context.links.delete(link);
  context.dangling.delete(link);
  context.remoteLinks.reconcile();
  if (objects.length > 0) {
    context.ownDeletion();
    await context.kernel.remove({ owner: `link ${link.alias}`, objects });
  }
  await editOwnHosts(context, config, (text) => removeLinkLines(text, link.alias));
}

/** The allow rules to delete with a link: rules that another alias of the same target needs are kept. */
function ownAllowRules(context: LinksDependencies, link: LinkRecord): NftElementObject[] {
  const others = context.links.ofParent(link.parentId).filter((other) => other !== link);
  const stillNeeded = new Set(others.flatMap((other) => linkAllowRules(context, other)).map((rule) => rule.key));
  return linkAllowRules(context, link).filter((rule) => !stillNeeded.has(rule.key));
}
