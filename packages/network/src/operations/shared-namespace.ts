/**
 * `container:` mode: joining another container's namespace and files. The namespace is pinned by us, not by a
 * process, so it outlives its owner as long as somebody shares it, and the owner's restart goes back into it.
 */
import { NetyardError, newId } from '@netyard/core';
import type { ContainerDirectory, SandboxConfig, SandboxState } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';

/** What the functions of this file work on. */
export interface SharedDependencies {
  readonly containers: ContainerDirectory;
  readonly sandboxes: Map<string, Sandbox>;
}

/** Docker's start-time checks in Docker's order; the statuses (500, 500, 409, 409) are Docker's as well. */
export function joinedState(context: SharedDependencies, config: SandboxConfig, ref: string): SandboxState {
  const ownerId = context.containers.find(ref);
  const info = ownerId === undefined ? undefined : context.containers.info(ownerId);
  const owner = ownerId === undefined ? undefined : context.sandboxes.get(ownerId);
  if (ownerId === undefined || !info || !owner)
    throw new NetyardError('internal', `joining network namespace of container: No such container: ${ref}`);
  if (ownerId === config.containerId) throw new NetyardError('internal', 'cannot join own network namespace');
  const cannot = 'cannot join network namespace of';
  if (info.state === 'restarting') {
    const wait = `Container ${ref} is restarting, wait until the container is running`;
    throw new NetyardError('conflict', `${cannot} container: ${wait}`);
  }
  if ((info.state !== 'running' && info.state !== 'paused') || !owner.state)
    throw new NetyardError('conflict', `${cannot} a non running container: container ${info.name} is ${info.state}`);
  return {
    id: newId(),
    ...(owner.state.netnsPath === undefined ? {} : { netnsPath: owner.state.netnsPath }),
    sharedWith: owner.state.sharedWith ?? ownerId,
    files: owner.state.files,
    endpoints: [],
    ports: [],
  };
}

/** Containers that run in this one's namespace. */
export function sharersOf(context: SharedDependencies, ownerId: string): Sandbox[] {
  return [...context.sandboxes.values()].filter((sandbox) => sandbox.state?.sharedWith === ownerId);
}
