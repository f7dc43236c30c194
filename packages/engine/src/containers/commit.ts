/** `docker commit`: an image of a container's changes, taken while its processes are paused. */
import { addAbortSignal } from 'node:stream';
import type { KeyedQueue } from '@netyard/core';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { CommitOptions } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import { commitName } from '../images/commit.ts';
import type { Images } from '../images/image-service.ts';
import type { ContainerRecord } from '../model.ts';
import type { RootFilesystems, Runtime } from '../ports.ts';
import { type ContainerIndex, isDoomed } from '../records/container-index.ts';
import { committedDefaults } from './commit-config.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';

/** What the functions of this file work on. */
export interface CommitDependencies {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly images: Pick<Images, 'commit'>;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

/**
 * One commit at a time, in the queue of this key: each has a thread and its buffers, and the second one of a container
 * would be resumed by the end of the first.
 */
const commitsQueue = 'commits';

/**
 * @param signal ends the commit, also one that waits
 * @returns the image's id
 */
export async function commitContainer(
  context: CommitDependencies,
  ref: string,
  options: CommitOptions,
  signal: AbortSignal,
): Promise<string> {
  const name = commitName(options.repository, options.tag);
  const record = context.index.get(ref);
  checkState(record);
  const { author, comment } = options;
  const request = {
    parentId: record.imageId,
    defaults: committedDefaults(record.config, options),
    author,
    comment,
    createdBy: record.config.command.join(' '),
    name,
  };
  const image = await context.queue.run(commitsQueue, async () => {
    signal.throwIfAborted();
    return await context.images.commit({
      ...request,
      withLayer: (use) => withPause(context, record.id, options.pause, () => withLayer(context, record, use, signal)),
    });
  });
  const attributes = { comment, imageID: image.id, imageRef: name ?? '' };
  publishContainer(context.events, context.index.byId(record.id) ?? record, 'commit', attributes);
  return image.id;
}

function checkState({ id, state: { status } }: ContainerRecord): void {
  if (status === 'dead') throw new NetyardError('conflict', `You cannot commit container ${id} which is Dead`);
  if (status === 'removing') {
    throw new NetyardError('conflict', `You cannot commit container ${id} which is being removed`);
  }
}

/** The layer is complete only if the container was not removed while it was read. */
async function withLayer<T>(
  context: CommitDependencies,
  { id, name }: ContainerRecord,
  use: (layer: AsyncIterable<Uint8Array>) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const layer = addAbortSignal(signal, context.rootfs.readLayer(id));
  const checkPresent = (cause?: unknown): void => {
    const present = context.index.byId(id);
    if (present && !isDoomed(present)) return;
    throw new NetyardError('not-found', `No such container: ${name}`, { cause });
  };
  try {
    const result = await use(layer);
    checkPresent();
    return result;
  } catch (error) {
    checkPresent(error);
    throw error;
  } finally {
    layer.destroy();
  }
}

/** Pauses a running container meanwhile; one that is paused already, or ends by itself, stays so. */
async function withPause<T>(
  context: CommitDependencies,
  id: string,
  pause: boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (!pause || !(await pauseRunning(context, id))) return work();
  try {
    return await work();
  } finally {
    await resume(context, id);
  }
}

async function pauseRunning(context: CommitDependencies, id: string): Promise<boolean> {
  if (context.index.byId(id)?.state.status !== 'running') return false;
  try {
    await pauseContainer(context, id, { byCommit: true });
    return true;
  } catch (error) {
    // It ended, or was paused by another request, since it was looked up.
    if (isNetyardError(error, 'conflict') || isNetyardError(error, 'not-found')) return false;
    throw error;
  }
}

/** Not when a user has resumed it, and perhaps paused it again; nor when it was killed. */
async function resume(context: CommitDependencies, id: string): Promise<void> {
  const isOurs = (): boolean => {
    const state = context.index.byId(id)?.state;
    return state?.status === 'paused' && state.pausedByCommit === true;
  };
  if (!isOurs()) return;
  await unpauseContainer(context, id).catch((error: unknown) => {
    if (isOurs()) throw error;
  });
}
