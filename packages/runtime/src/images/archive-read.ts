/**
 * Creates a tar archive of a file or directory in a container's root (`docker cp`, `export`, volumes) while the
 * container may be changing it: directories are held by descriptor, links are stored and never followed. The stat size
 * of a small file is not trusted: it is read first, as files of proc and sysfs have no size of their own. Of a tree, the
 * kernel's directories and the container's `/dev` are stored without their content.
 */
import { closeSync, fstatSync } from 'node:fs';
import { Readable } from 'node:stream';
import { encodeEnd, NetyardError, TimeSlice } from '@netyard/core';
import type { PathStat } from '@netyard/engine';
import { hasErrno } from '@netyard/kernel';
import {
  type EntryLocation,
  listNames,
  lstatName,
  openFolder,
  openName,
  splitPath,
  withFd,
} from '../rootfs/root-paths.ts';
import { type EntryOptions, entryOf, HardLinks } from './archive-entry.ts';
import { checkFolder, isKernelFolder } from './kernel-folders.ts';
import { baseName, openPath, statInRoot, wantsFolder } from './path-stat.ts';
import { isOpaque, isWhiteout, opaqueEntry, whiteoutEntry } from './whiteouts.ts';

/** Small chunks are combined up to this size: one message per header would be slow. */
const chunkSize = 256 * 1024;

/** The archive of a path and its `statInRoot`. Throws `not-found`. */
export async function readArchive(root: string, path: string): Promise<{ stat: PathStat; stream: Readable }> {
  const stat = statInRoot(root, path);
  if (stat === undefined) throw new NetyardError('not-found', `no such file or directory: ${path}`);
  const isFolder = withFd(openPath(root, path), (fd) => {
    const isDirectory = fstatSync(fd).isDirectory();
    if (isDirectory) checkFolder(fd, path);
    return isDirectory;
  });
  if (isFolder || wantsFolder(path)) return { stat, stream: readTree(root, path, baseName(path)) };
  return { stat, stream: await started(fileArchive(root, path)) };
}

/**
 * A directory and its content, with `base` as its name: '/' and '.' name the top, '' omits the entry of the top and
 * yields plain relative names.
 */
export function readTree(root: string, path: string, base: string): Readable {
  return Readable.from(joined(treeArchive(root, path, base)), { objectMode: false });
}

/**
 * Returns the stream once its first chunk is available: a file that cannot be read fails before the response starts.
 */
async function started(parts: AsyncGenerator<Uint8Array>): Promise<Readable> {
  const chunks = joined(parts);
  const first = await chunks.next();
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (!first.done) yield first.value;
      yield* chunks;
    } finally {
      await chunks.return(undefined);
    }
  };
  return Readable.from(all(), { objectMode: false });
}

async function* fileArchive(root: string, path: string): AsyncGenerator<Uint8Array> {
  const { parent, name } = splitPath(path);
  const folder = openFolder(root, parent);
  try {
    const held = openName(folder, name);
    try {
      yield* entryOf(name, held, { folder, name }, { links: new HardLinks() });
    } finally {
      closeSync(held);
    }
  } finally {
    closeSync(folder);
  }
  yield encodeEnd();
}

/**
 * The upper directory of an overlay mount as an image layer, in the format of OCI image-spec, layer.md: without its top,
 * and with overlayfs' marks of deletions as whiteouts.
 */
export function layerArchive(upper: string): AsyncGenerator<Uint8Array> {
  return joined(treeArchive(upper, '/', '', true));
}

/** An open directory that is being traversed. */
interface Level {
  folder: number;
  /** Device number of its file system. */
  device: number;
  prefix: string;
  names: string[];
  /** It is the top of the container's root. */
  isRoot: boolean;
}

async function* treeArchive(root: string, path: string, base: string, isLayer = false): AsyncGenerator<Uint8Array> {
  const options: EntryOptions = { links: new HardLinks(), isLayer };
  const levels: Level[] = [];
  const slice = new TimeSlice();
  const enter = async (folder: number, prefix: string): Promise<void> => {
    const isRoot = levels.length === 0 && splitPath(path).name === '';
    const level: Level = { folder, device: fstatSync(folder).dev, prefix, names: [], isRoot };
    levels.push(level);
    level.names = (await listNames(folder)).reverse();
  };
  try {
    const top = openFolder(root, path);
    await enter(top, base === '' || base === '/' ? base : `${base}/`);
    if (base !== '') yield* entryOf(base, top, undefined, options);
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      if (slice.isOver) await slice.next();
      const name = level.names.pop();
      if (name === undefined) closeSync(levels.pop()?.folder ?? -1);
      else yield* visit(level, name, options, enter);
    }
  } finally {
    for (const { folder } of levels) closeSync(folder);
  }
  yield encodeEnd();
}

/** Whether a directory found in another one is mounted there and has content of the kernel's making. */
function isOmitted(folder: number, name: string, above: Level): boolean {
  if (fstatSync(folder).dev === above.device) return false;
  // The runtime fills /dev with devices, which clients that are not root cannot create.
  return (above.isRoot && name === 'dev') || isKernelFolder(folder);
}

/** Whether a name still is the open directory. */
function isThere({ folder, name }: EntryLocation, held: number): boolean {
  const found = lstatName(folder, name);
  const { dev, ino } = fstatSync(held);
  return found?.dev === dev && found.ino === ino;
}

async function* visit(
  level: Level,
  name: string,
  options: EntryOptions,
  enter: (folder: number, prefix: string) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const { prefix } = level;
  const location: EntryLocation = { folder: level.folder, name };
  const as = prefix + name;
  let held: number | undefined;
  let entered: number | undefined;
  try {
    held = openName(location.folder, location.name);
    if (options.isLayer && isWhiteout(held)) {
      yield whiteoutEntry(prefix, location.name, held);
      return;
    }
    const type = yield* entryOf(as, held, location, options);
    if (type !== 'directory') return;
    if (options.isLayer && isOpaque(held)) yield opaqueEntry(as);
    if (isOmitted(held, name, level)) return;
    entered = held;
    held = undefined;
    await enter(entered, `${as}/`);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error;
    // Removed meanwhile. Of a directory that is still there, the content would be missing from the archive unnoticed.
    if (entered !== undefined && isThere(location, entered)) throw error;
  } finally {
    if (held !== undefined) closeSync(held);
  }
}

/** The same bytes in larger chunks. */
async function* joined(parts: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    waiting.push(part);
    length += part.length;
    if (length < chunkSize) continue;
    yield waiting.length === 1 ? part : Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(waiting);
}
