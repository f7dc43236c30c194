/**
 * `container:` mode: joins another container's namespace and files. Netyard pins the namespace, not a process, so it
 * outlives its owner while other containers share it, and a restarted owner uses it again.
 */
import { NetyardError, newId } from '@netyard/core';
import type { ContainerDirectory, SandboxConfig, SandboxState } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';

/** Dependencies of the functions in this file. */
export interface SharedNamespaceDependencies {
  readonly containers: ContainerDirectory;
  readonly sandboxes: Map<string, Sandbox>;
}

/** Docker's start-time checks in Docker's order; the statuses (500, 500, 409, 409) are Docker's as well. */
export function joinedState(context: SharedNamespaceDependencies, config: SandboxConfig, ref: string): SandboxState {
  const ownerId = context.containers.find(ref);
  const info = ownerId === undefined ? undefined : context.containers.info(ownerId);
  const owner = ownerId === undefined ? undefined : context.sandboxes.get(ownerId);
  if (ownerId === undefined || !info || !owner)
    throw new NetyardError('failed', `joining network namespace of container: No such container: ${ref}`);
  if (ownerId === config.containerId) throw new NetyardError('failed', 'cannot join own network namespace');
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

/** Running containers that share this one's namespace. */
export function sharersOf(context: SharedNamespaceDependencies, ownerId: string): Sandbox[] {
  const sharers: Sandbox[] = [];
  // Without a copy of the list: this runs several times at each start, however many containers there are.
  for (const sandbox of context.sandboxes.values()) if (sandbox.state?.sharedWith === ownerId) sharers.push(sandbox);
  return sharers;
}
