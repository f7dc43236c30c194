/** Resolves the targets of links, at create time and when a removed target is created again under its name. */

import { type Logger, NetyardError } from '@netyard/core';
import type { ContainerDirectory, LinkRecord, SandboxConfig } from '../contract.ts';
import { parseLink } from '../links/parse.ts';
import type { Sandbox } from '../lookup.ts';
import { hasLegacyLinks } from '../modes.ts';
import { type RemoteLinks, splitRemoteName } from './remote-links.ts';

/** Dependencies of the functions in this file. */
export interface LinkTargetsDependencies {
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly dangling: Set<LinkRecord>;
  readonly remoteLinks: Pick<RemoteLinks, 'find'>;
}

/** In the order given; of several links with one alias the first is used, as in Docker. Throws `invalid`. */
export async function resolveLinks(context: LinkTargetsDependencies, config: SandboxConfig): Promise<LinkRecord[]> {
  const links: LinkRecord[] = [];
  for (const text of config.links) {
    const { target, alias } = parseLink(text);
    const child = await findTarget(context, config, target);
    const earlier = links.find((link) => link.alias === alias);
    if (earlier) {
      if (earlier.childId !== child.childId)
        context.logger.warn('link ignored: its alias is already in use', { container: config.name, link: text });
      continue;
    }
    links.push({
      parentId: config.containerId,
      ...child,
      alias,
      targetRef: target,
      position: links.length,
    });
  }
  return links;
}

type Target = Pick<LinkRecord, 'childId' | 'targetName' | 'remote'>;

/** A container on this host (also as `parent/alias`); otherwise `HOST/NAME` on another host. */
async function findTarget(context: LinkTargetsDependencies, config: SandboxConfig, target: string): Promise<Target> {
  const remote = splitRemoteName(target);
  if (!remote || context.containers.find(target) !== undefined) {
    const { containerId, name } = findLocal(context, config, target);
    return { childId: containerId, targetName: name };
  }
  const found = await context.remoteLinks.find(remote.host, remote.name);
  return { childId: target, targetName: target, remote: found };
}

/** Follows `container:` mode to the owner of the namespace. The statuses are Docker's: 400 also for a missing container. */
function findLocal(context: LinkTargetsDependencies, config: SandboxConfig, target: string): SandboxConfig {
  let ref = target;
  for (;;) {
    const id = context.containers.find(ref);
    const child = id === undefined || id === config.containerId ? undefined : context.sandboxes.get(id)?.config;
    if (!child) throw new NetyardError('invalid', `could not get container for ${ref}: No such container: ${ref}`);
    if (child.mode.kind === 'host') {
      throw new NetyardError(
        'invalid',
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    }
    if (child.mode.kind !== 'container') return child;
    ref = child.mode.ref;
  }
}

/** Dangling links whose target had, or was requested by, this container's name: records before and after. */
export function attachDangling(
  context: LinkTargetsDependencies,
  config: SandboxConfig,
): { before: LinkRecord; after: LinkRecord }[] {
  if (!hasLegacyLinks(config.mode)) return [];
  return [...context.dangling]
    .filter((link) => link.targetName === config.name || link.targetRef === config.name)
    .map((before) => ({ before, after: { ...before, childId: config.containerId, targetName: config.name } }));
}
