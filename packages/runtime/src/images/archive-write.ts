/**
 * Unpacks a tar archive into a directory of a container (`docker cp`, volumes) while the container may be changing it.
 * The directory of every entry is resolved inside the root again, and the last name of an entry is never followed, so
 * no link, old or new, leads out. Owners, modes, times and attributes are the archive's; holes are kept.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  symlinkSync,
} from 'node:fs';
import type { Readable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import {
  ArchiveLimitError,
  type ArchiveLimits,
  ArchiveMeter,
  decompress,
  fsPath,
  memberPath,
  NetyardError,
  type TarEntry,
  type TarHeader,
  TimeSlice,
  tarEntries,
} from '@netyard/core';
import { hasErrno, O_PATH, openAt, openInRoot, setFileTimes, setTimes } from '@netyard/kernel';
import { atFd, inFd, lstatName, makeFolders, openFolder, removeName, splitPath, withFd } from '../rootfs/root-paths.ts';
import { resolveUser } from '../spec/user.ts';
import { readUserFiles } from '../tasks/host-facts.ts';
import { firstMode, makeSpecial, own, ownFile, ownName } from './archive-node.ts';
import { writePieces } from './write-pieces.ts';
import { WrittenNames } from './written-names.ts';

export interface WriteArchiveOptions {
  /** A directory is never replaced by something else, nor something else by a directory. */
  noOverwriteDirNonDir: boolean;
  /** `user[:group]`, resolved with the root's own passwd and group: owns every entry instead of the archive's owner. */
  owner?: string | undefined;
  /** The archive's entry for its top sets owner, mode and time of the directory itself. */
  ownRoot?: boolean;
  limits?: Partial<ArchiveLimits>;
}

/**
 * @param stream its chunks' memory may be freed once they are written
 * @param path an existing directory in the root; a link to one is followed. Throws `not-found`; `invalid` when it is no
 * directory, and for damaged archives and entries that lead out. When an archive exceeds a limit, what it created is
 * removed; what it replaced is not restored.
 */
export async function writeArchive(
  root: string,
  path: string,
  stream: NodeJS.ReadableStream | Readable,
  options: WriteArchiveOptions,
): Promise<void> {
  const owner = options.owner === undefined ? undefined : resolveUser(options.owner, [], readUserFiles(root));
  const held = openInRoot(root, '/', O_PATH | constants.O_DIRECTORY);
  const target: Target = { root: held, path, options, folders: [], written: new WrittenNames(held) };
  try {
    checkFolder(held, path);
    await writeEntries(target, stream as AsyncIterable<Uint8Array>, owner);
  } catch (error) {
    if (error instanceof ArchiveLimitError) await target.written.remove();
    throw error;
  } finally {
    closeSync(held);
  }
}

async function writeEntries(
  target: Target,
  stream: AsyncIterable<Uint8Array>,
  owner: { uid: number; gid: number } | undefined,
): Promise<void> {
  const meter = new ArchiveMeter(target.options.limits);
  const { stream: plain } = await decompress(stream, meter);
  const slice = new TimeSlice();
  for await (const entry of tarEntries(plain, meter)) {
    if (slice.isOver) await slice.next();
    if (owner !== undefined) Object.assign(entry.header, { uid: owner.uid, gid: owner.gid });
    await writeEntry(target, entry).catch((error: unknown) => {
      throw explained(error, `${target.path}/${entry.header.name}`);
    });
  }
  for (const { path, mtime } of target.folders.toReversed()) {
    if (slice.isOver) await slice.next();
    setFolderTime(target, path, mtime);
  }
}

/** Errors of system calls name a descriptor or a name; the reader knows the path. */
function explained(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return error;
  const text = getSystemErrorMap().get(-Math.abs(error.errno))?.[1] ?? error.message; // Node's own are negative
  return new NetyardError('failed', `cannot write ${path.replace(/\/+/g, '/')}: ${text}`, { cause: error });
}

interface Target {
  /** A descriptor. */
  root: number;
  path: string;
  options: WriteArchiveOptions;
  /** Times of directories are set last: creating entries in them would change them. */
  folders: { path: string; mtime: bigint }[];
  written: WrittenNames;
}

function checkFolder(root: number, path: string): void {
  try {
    withFd(openFolder(root, path), (folder) => checkWritable(root, folder));
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) {
      throw new NetyardError('invalid', 'extraction point is not a directory', { cause: error });
    }
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw new NetyardError('not-found', `no such directory: ${path}`, { cause: error });
  }
}

/** Docker's messages; a path outside the root's own file system is a volume or a bind mount. */
function checkWritable(root: number, folder: number): void {
  try {
    accessSync(atFd(folder), constants.W_OK);
  } catch (error) {
    if (!hasErrno(error, 'EROFS')) throw error;
    const isRoot = withFd(openFolder(root, '/'), (top) => fstatSync(top).dev === fstatSync(folder).dev);
    const reason = isRoot ? 'container rootfs is marked read-only' : 'mounted volume is marked read-only';
    throw new NetyardError('invalid', reason, { cause: error });
  }
}

async function writeEntry(target: Target, entry: TarEntry): Promise<void> {
  const { header } = entry;
  const member = memberPath(header.name);
  if (member === undefined) {
    throw new NetyardError('invalid', `"${header.name}" is outside of "${target.path}"`);
  }
  if (member === '') {
    if (!target.options.ownRoot) return;
    withFd(openFolder(target.root, target.path), (fd) => own(atFd(fd), header));
    target.folders.push({ path: target.path, mtime: header.mtime });
    return;
  }
  target.written.note(`${target.path}/${member}`, header.type === 'directory');
  const { parent, name } = splitPath(`${target.path}/${member}`);
  const folder = makeFolders(target.root, parent);
  try {
    if (header.type === 'file' || header.type === 'contiguous-file') await writeFile(target, folder, name, entry);
    else {
      await prepareName(target, folder, name, header);
      makeNode(target, folder, name, header);
    }
  } finally {
    closeSync(folder);
  }
  if (header.type === 'directory') target.folders.push({ path: `${target.path}/${member}`, mtime: header.mtime });
}

/** Removes what the entry replaces. */
async function prepareName(target: Target, folder: number, name: string, header: TarHeader): Promise<void> {
  const present = lstatName(folder, name);
  if (present === undefined) return;
  const isFolder = header.type === 'directory';
  if (present.isDirectory() && isFolder) return;
  if (target.options.noOverwriteDirNonDir && present.isDirectory()) {
    throw new NetyardError('invalid', `cannot overwrite directory "${name}" with non-directory "${target.path}"`);
  }
  if (target.options.noOverwriteDirNonDir && isFolder) {
    throw new NetyardError('invalid', `cannot overwrite non-directory "${name}" with directory "${target.path}"`);
  }
  await removeName(folder, name);
}

async function writeFile(target: Target, folder: number, name: string, { header, pieces }: TarEntry): Promise<void> {
  const fd = await createFile(target, folder, name, header);
  try {
    await writePieces(fd, pieces, { areOwned: true });
    if (header.sparse !== undefined) ftruncateSync(fd, header.size);
    ownFile(fd, header);
    setFileTimes(fd, header.mtime);
  } finally {
    closeSync(fd);
  }
}

/** Most names are free; to look for one that is not, first, would take as long as to create it. */
async function createFile(target: Target, folder: number, name: string, header: TarHeader): Promise<number> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const create = (): number => openAt(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, firstMode(header));
  try {
    return create();
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  await prepareName(target, folder, name, header);
  return create();
}

/** Everything except regular files. */
function makeNode(target: Target, folder: number, name: string, header: TarHeader): void {
  const path = inFd(folder, name);
  switch (header.type) {
    case 'directory':
      if (lstatName(folder, name) === undefined) mkdirSync(path, { mode: 0o700 });
      ownName(folder, name, header);
      return;
    case 'symlink':
      symlinkSync(fsPath(header.linkname), path);
      lchownSync(path, header.uid, header.gid);
      break;
    case 'link':
      linkMember(target, folder, name, header);
      return;
    case 'fifo':
    case 'character-device':
    case 'block-device':
      makeSpecial(folder, name, header);
      break;
    default:
      throw new NetyardError('invalid', `${header.name} has an unsupported type`);
  }
  setTimes(folder, name, header.mtime);
}

function linkMember(target: Target, folder: number, name: string, header: TarHeader): void {
  const member = memberPath(header.linkname);
  if (member === undefined || member === '') {
    throw new NetyardError('invalid', `invalid hardlink "${header.name}" -> "${header.linkname}"`);
  }
  const source = splitPath(`${target.path}/${member}`);
  withFd(openFolder(target.root, source.parent), (from) => linkSync(inFd(from, source.name), inFd(folder, name)));
}

function setFolderTime(target: Target, path: string, mtime: bigint): void {
  const { parent, name } = splitPath(path);
  withFd(openFolder(target.root, parent), (folder) => {
    const entry = name === '' ? '.' : name;
    if (lstatName(folder, entry)?.isDirectory()) setTimes(folder, entry, mtime);
  });
}
