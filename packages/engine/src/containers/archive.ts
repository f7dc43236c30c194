/** `docker cp`, `docker diff` and `docker export`: the files of a container, running or stopped. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import type { ContainerService } from '../contract.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord } from '../model.ts';
import { containerDirectory } from '../paths.ts';
import type { PathStat, RootFilesystems, ViewMount } from '../ports.ts';
import { type ContainerIndex, hasProcess, notRunning } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import type { Subpaths } from '../volumes/subpaths.ts';
import type { VolumeMounts } from '../volumes/volume-mounts.ts';
import { type Waiters, withTimeLimit } from './waiters.ts';

/** What the functions of this file work on. */
export interface ArchiveDependencies {
  readonly rootfs: RootFilesystems;
  readonly settings: EngineSettings;
  readonly index: ContainerIndex;
  readonly volumeMounts: VolumeMounts;
  readonly subpaths: Subpaths;
  readonly events: EventLog;
  readonly waiters: Waiters;
}

/** How long the exit event of a process that has ended may be delayed. */
const exitMilliseconds = 10_000;

export async function statContainerPath(context: ArchiveDependencies, ref: string, path: string): Promise<PathStat> {
  const record = context.index.get(ref);
  return withRoot(context, record, { ref, path }, async (_, stat) => stat);
}

type Archive = Awaited<ReturnType<ContainerService['readArchive']>>;

export async function readContainerArchive(context: ArchiveDependencies, ref: string, path: string): Promise<Archive> {
  const record = context.index.get(ref);
  const answer = await whileStreaming<Archive>((use) =>
    withRoot(context, record, { ref, path }, async (location) => {
      const archive = await context.rootfs.readArchive(location.root, location.path);
      await use(archive, archive.stream);
    }),
  );
  publishContainer(context.events, record, 'archive-path');
  return answer;
}

export async function writeContainerArchive(
  context: ArchiveDependencies,
  ref: string,
  path: string,
  stream: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
): Promise<void> {
  const record = context.index.get(ref);
  await withRoot(context, record, { ref, path }, async (location) => {
    const { noOverwriteDirNonDir, copyUidGid } = options;
    // As Docker: with copyUIDGID set, the owner is the container's user; without such a user, the archive's owner.
    const owner = copyUidGid && record.config.user !== '' ? record.config.user : undefined;
    await context.rootfs.writeArchive(location.root, location.path, stream, { noOverwriteDirNonDir, owner });
  });
  publishContainer(context.events, record, 'extract-to-dir');
}

export async function exportContainer(context: ArchiveDependencies, ref: string): Promise<NodeJS.ReadableStream> {
  const record = context.index.get(ref);
  const { status } = record.state;
  if (status === 'removing' || status === 'dead')
    throw new NetyardError('conflict', `You cannot export container ${record.id} which is dead or being removed`);
  const stream = await whileStreaming<NodeJS.ReadableStream>((use) =>
    context.rootfs.withMounted(record.id, record.layers, async (root) => {
      const tree = await context.rootfs.exportTree(root);
      await use(tree, tree);
    }),
  ).catch(explainRemoval(context, record));
  publishContainer(context.events, record, 'export');
  return stream;
}

export async function containerChanges(
  context: ArchiveDependencies,
  ref: string,
): ReturnType<ContainerService['changes']> {
  const record = context.index.get(ref);
  return context.rootfs.changes(record.id, record.layers).catch(explainRemoval(context, record));
}

interface Location {
  root: string;
  path: string;
}

type Work<T> = (location: Location, stat: PathStat) => Promise<T>;

/**
 * Accesses a running container through its own mounts (proc(5), /proc/PID/root) and a stopped one through the overlay
 * with the same mounts added. Throws `not-found` when the path is missing.
 */
async function withRoot<T>(
  context: ArchiveDependencies,
  record: ContainerRecord,
  requested: { ref: string; path: string },
  work: Work<T>,
): Promise<T> {
  const { path } = requested;
  const absolute = path.startsWith('/') ? path : `/${path}`;
  if (hasProcess(record)) {
    const held = context.rootfs.holdRoot(record.id, record.state.pid);
    try {
      const stat = held && (await context.rootfs.statInRoot(held.root, absolute));
      if (stat) return await work({ root: held.root, path: absolute }, stat);
      if (held && existsSync(held.root)) throw missing(requested);
    } finally {
      held?.close();
    }
    return withRoot(context, await afterExit(context, record), requested, work);
  }
  const visit = withView(context, record, async (root) => {
    const stat = await context.rootfs.statInRoot(root, absolute);
    if (!stat) throw missing(requested);
    return work({ root, path: absolute }, stat);
  });
  return visit.catch(explainRemoval(context, record));
}

/** The root of a stopped container, with its mounts. */
function withView<T>(
  context: ArchiveDependencies,
  record: ContainerRecord,
  work: (root: string) => Promise<T>,
): Promise<T> {
  return context.volumeMounts.whileMounted(record, async () => {
    const { mounts, release } = context.subpaths.mount(record);
    try {
      const view = { mounts: viewMounts(context, { ...record, mounts }), readOnlyRoot: record.config.readOnlyRootfs };
      return await context.rootfs.withMounts(record.id, record.layers, view, work);
    } finally {
      release();
    }
  });
}

/** The container may be removed meanwhile: report "no such container" then, whatever failed first. */
function explainRemoval(context: ArchiveDependencies, { id, name }: ContainerRecord): (error: unknown) => never {
  return (error) => {
    const status = context.index.byId(id)?.state.status;
    const isGone = status === undefined || status === 'removing' || status === 'dead';
    throw isGone ? new NetyardError('not-found', `No such container: ${name}`, { cause: error }) : error;
  };
}

/** The record of a container whose process has just ended, once its exit event is handled. */
async function afterExit(context: ArchiveDependencies, record: ContainerRecord): Promise<ContainerRecord> {
  const waiting = new AbortController();
  const isSameRun = ({ state }: ContainerRecord): boolean => state.pid === record.state.pid;
  try {
    const exit = context.waiters.exit(record.id, waiting.signal);
    exit.catch(() => undefined); // only rejected by the abort below
    if (isSameRun(context.index.get(record.id))) await withTimeLimit(exit, exitMilliseconds);
  } finally {
    waiting.abort();
  }
  const now = context.index.get(record.id);
  if (isSameRun(now)) throw notRunning(now);
  return now;
}

/** The mounts of a start except those in memory; the network files exist since the first start. */
function viewMounts(context: ArchiveDependencies, record: ContainerRecord): ViewMount[] {
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

/** Returns a stream from a scope and keeps the scope open until the stream has ended. */
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

/** Names the container as the request does. */
const missing = ({ ref, path }: { ref: string; path: string }): NetyardError =>
  new NetyardError('not-found', `Could not find the file ${path} in container ${ref}`);
