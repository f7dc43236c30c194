/** `docker rm`: removes a link, or a container with everything it owns. */

import { failureCodeOf, type KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import { type KernelOperation, removeTree } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ExecRegistry } from '../exec/exec-registry.ts';
import type { Images } from '../images/image-service.ts';
import type { Outputs } from '../logs/outputs.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory } from '../paths.ts';
import type { RootFilesystems } from '../ports.ts';
import { type ContainerIndex, isAlive } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import { publishVolume } from '../volumes/volume-events.ts';
import type { VolumeIndex } from '../volumes/volume-index.ts';
import type { BackgroundDeletions } from './background-deletions.ts';
import type { RestartTimers } from './restart-timers.ts';
import { killAndWait, type StopDependencies } from './stop.ts';
import type { Waiters } from './waiters.ts';

/** What the functions of this file work on. */
export interface RemoveDependencies extends StopDependencies {
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly images: Images;
  readonly settings: EngineSettings;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly volumes: VolumeIndex;
  readonly events: EventLog;
  readonly outputs: Outputs;
  readonly execs: ExecRegistry;
  readonly waiters: Waiters;
  readonly restarts: RestartTimers;
  readonly backgroundDeletions: BackgroundDeletions;
  readonly queue: KeyedQueue;
}

export async function removeContainer(
  context: RemoveDependencies,
  ref: string,
  options: { force: boolean; volumes: boolean; link: boolean },
): Promise<void> {
  if (options.link && leadsElsewhere(context, ref)) return context.networks.removeLink(ref);
  const record = context.index.get(ref);
  if (options.link) return context.networks.removeLink(ref);
  checkRemovable(record, ref, options);
  if (isAlive(record)) await killForRemoval(context, record.id);
  while (!(await removeEnded(context, record.id, options))) await killForRemoval(context, record.id);
}

const killForRemoval = (context: RemoveDependencies, id: string): Promise<void> =>
  context.backgroundDeletions.whileAllowed(id, () => killAndWait(context, id));

/** False for one to be removed by force that another client has started meanwhile: its start may have been in progress. */
function removeEnded(
  context: RemoveDependencies,
  id: string,
  options: { force: boolean; volumes: boolean },
): Promise<boolean> {
  return context.queue.run(id, async () => {
    const present = context.index.byId(id);
    if (!present) return true; // it removed itself (`--rm`)
    if (isAlive(present) && options.force) return false;
    if (isAlive(present)) throw refusal(present);
    await removeStopped(context, present, options);
    return true;
  });
}

/** What the removal would change in the network. */
export async function planRemove(
  context: RemoveDependencies,
  ref: string,
  options: { force: boolean; link: boolean },
): Promise<KernelOperation[]> {
  if (options.link && leadsElsewhere(context, ref)) return context.networks.planRemoveLink(ref);
  const record = context.index.get(ref);
  if (options.link) return context.networks.planRemoveLink(ref);
  checkRemovable(record, ref, options);
  return context.networks.planRelease(record.id);
}

/** The name of a link finds its target, but not on another host. */
const leadsElsewhere = (context: RemoveDependencies, ref: string): boolean =>
  context.networks.findLink(ref)?.remote !== undefined;

function checkRemovable(record: ContainerRecord, ref: string, { force }: { force: boolean }): void {
  if (record.state.status === 'removing')
    throw new NetyardError('conflict', `removal of container ${ref} is already in progress`);
  if (isAlive(record) && !force) throw refusal(record);
}

function refusal(record: ContainerRecord): NetyardError {
  const { status } = record.state;
  const why =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${status}: stop the container before removing or force remove`;
  return new NetyardError('conflict', `cannot remove container "${record.name}": ${why}`);
}

/**
 * Runs within the container's queue. The next start of the daemon resumes a removal interrupted by a crash, with the
 * options that the record has.
 */
export async function removeStopped(
  context: RemoveDependencies,
  record: ContainerRecord,
  options: { volumes: boolean },
): Promise<void> {
  const { index, waiters, events } = context;
  const { id } = record;
  context.restarts.reset(id);
  index.setState(id, { status: 'removing', removesVolumes: options.volumes });
  try {
    await removeTraces(context, record);
  } catch (error) {
    index.setState(id, { status: 'dead', error: messageOf(error) });
    throw new NetyardError(failureCodeOf(error), `cannot remove container "${record.name}": ${messageOf(error)}`, {
      cause: error,
    });
  }
  index.delete(id);
  if (options.volumes) await removeAnonymousVolumes(context, record);
  publishContainer(events, record, 'destroy');
  if (!(await hasImage(context, record.imageId))) collectGarbage(context, record.layers);
  waiters.removed(id, { exitCode: record.state.exitCode });
}

/** Removes everything except the record, which a next attempt starts from. */
export async function removeTraces(context: RemoveDependencies, record: ContainerRecord): Promise<void> {
  const { networks, rootfs, outputs, execs, settings } = context;
  const { id } = record;
  outputs.remove(record);
  execs.forgetContainer(id);
  await Promise.all([networks.unregister(id), rootfs.remove(id), removeTree(containerDirectory(settings, id))]);
}

/** An image removed by force before its container leaves its layers to the container. */
async function hasImage(context: RemoveDependencies, imageId: string): Promise<boolean> {
  return context.images.get(imageId).then(
    () => true,
    () => false,
  );
}

/** Runs in the background. */
export function collectGarbage(context: RemoveDependencies, layers: readonly string[] = []): void {
  context.images.collectGarbage(layers.map((chainId) => `layer ${chainId}`)).catch((error: unknown) => {
    context.logger.error('removing unused layers failed', { error: messageOf(error) });
  });
}

/** Only volumes that no other container uses and that no request named. */
export async function removeAnonymousVolumes(context: RemoveDependencies, record: ContainerRecord): Promise<void> {
  for (const { name, isNamed } of record.mounts) {
    const volume = name === undefined || isNamed ? undefined : context.volumes.find(name);
    if (!volume?.anonymous || context.volumes.users(volume.name).length > 0) continue;
    try {
      await context.volumes.remove(volume.name);
      publishVolume(context.events, volume.name, 'destroy');
    } catch (error) {
      context.logger.error('removing an anonymous volume failed', { volume: volume.name, error: messageOf(error) });
    }
  }
}
