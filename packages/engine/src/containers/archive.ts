/** `docker cp`, `docker diff`, `docker export`: what is in a container's root file system, running or not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import type { EngineContext } from '../context.ts';
import type { ContainerService } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory } from '../paths.ts';
import type { PathStat, ViewMount } from '../ports.ts';
import { hasProcess } from './container-index.ts';

export async function statContainerPath(context: EngineContext, ref: string, path: string): Promise<PathStat> {
  const record = context.index.get(ref);
  return withPlace(context, record, path, async (place) => {
    const found = await context.rootfs.statInRoot(place.root, place.path);
    if (found) return found;
    throw missing(record, path);
  });
}

type Archive = Awaited<ReturnType<ContainerService['readArchive']>>;

export async function readContainerArchive(context: EngineContext, ref: string, path: string): Promise<Archive> {
  const record = context.index.get(ref);
  const answer = await whileStreaming<Archive>((use) =>
    withPlace(context, record, path, async (place) => {
      if (!(await context.rootfs.statInRoot(place.root, place.path))) throw missing(record, path);
      const archive = await context.rootfs.readArchive(place.root, place.path);
      await use(archive, archive.stream);
    }),
  );
  publishContainer(context.events, record, 'archive-path');
  return answer;
}

export async function writeContainerArchive(
  context: EngineContext,
  ref: string,
  path: string,
  stream: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
): Promise<void> {
  const record = context.index.get(ref);
  await withPlace(context, record, path, async (place) => {
    if (!(await context.rootfs.statInRoot(place.root, place.path))) throw missing(record, path);
    const { noOverwriteDirNonDir, copyUidGid } = options;
    // As Docker: despite the parameter's name the owner is the container's user; without one the archive's stays.
    const owner = copyUidGid && record.config.user !== '' ? record.config.user : undefined;
    await context.rootfs.writeArchive(place.root, place.path, stream, { noOverwriteDirNonDir, owner });
  });
  publishContainer(context.events, record, 'extract-to-dir');
}

export async function exportContainer(context: EngineContext, ref: string): Promise<NodeJS.ReadableStream> {
  const record = context.index.get(ref);
  const { status } = record.state;
  if (status === 'removing' || status === 'dead')
    throw new NetyardError('conflict', `You cannot export container ${record.id} which is dead or being removed`);
  const stream = await whileStreaming<NodeJS.ReadableStream>((use) =>
    context.rootfs.withMounted(record.id, record.layers, async (root) => {
      const tree = await context.rootfs.exportTree(root);
      await use(tree, tree);
    }),
  );
  publishContainer(context.events, record, 'export');
  return stream;
}

export async function containerChanges(context: EngineContext, ref: string): ReturnType<ContainerService['changes']> {
  const record = context.index.get(ref);
  return context.rootfs.changes(record.id, record.layers);
}

interface Place {
  root: string;
  path: string;
}

/**
 * A running container is seen through its own mounts (proc(5), /proc/PID/root), a stopped one through the overlay with
 * the same mounts put in.
 */
async function withPlace<T>(
  context: EngineContext,
  record: ContainerRecord,
  path: string,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const absolute = path.startsWith('/') ? path : `/${path}`;
  if (hasProcess(record)) return work({ root: `/proc/${record.state.pid}/root`, path: absolute });
  const view = { mounts: viewMounts(context, record), readOnlyRoot: record.config.readOnlyRootfs };
  return context.volumeMounts.whileMounted(record, () =>
    context.rootfs.withMounts(record.id, record.layers, view, (root) => work({ root, path: absolute })),
  );
}

/** What a start mounts, but for what lives in memory; network files are there after the first start. */
function viewMounts(context: EngineContext, record: ContainerRecord): ViewMount[] {
  const own = record.mounts.filter(({ type, source }) => type !== 'tmpfs' && source !== '');
  const taken = new Set(record.mounts.map(({ target }) => target));
  const { networkMode } = record.config;
  const owner = networkMode.kind === 'container' ? context.index.find(networkMode.ref)?.id : record.id;
  const directory = containerDirectory(context.settings, owner ?? record.id);
  const files = ['hosts', 'hostname', 'resolv.conf']
    .map((name) => ({ source: join(directory, name), target: `/etc/${name}`, readOnly: false }))
    .filter(({ source, target }) => !taken.has(target) && existsSync(source));
  return [...own.map(({ source, target, readOnly }) => ({ source, target, readOnly })), ...files];
}

/** Hands a stream out of a scope, which stays open until the stream has ended. */
function whileStreaming<T>(
  scope: (use: (answer: T, stream: NodeJS.ReadableStream) => Promise<void>) => Promise<void>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const use = async (answer: T, stream: NodeJS.ReadableStream): Promise<void> => {
      const end = finished(stream, { writable: false }).catch(() => undefined); // its reader sees the error
      resolve(answer);
      await end;
    };
    scope(use).catch(reject);
  });
}

const missing = (record: ContainerRecord, path: string): NetyardError =>
  new NetyardError('not-found', `Could not find the file ${path} in container ${record.name}`);
