/**
 * Unpacks a tar archive into a folder of a container (`docker cp`, volumes) while the container may be changing it.
 * Every entry's folder is resolved anew inside the root, and nothing is ever followed at an entry's own name, so no
 * link, old or just made, leads out. Owners, modes, times and attributes are the archive's; holes stay holes.
 */
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
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
import { hasErrno, makeDevice, makeFifo, setTimes, setXattr } from '@netyard/kernel';
import {
  atFd,
  inFd,
  lstatName,
  makeFolders,
  openFolder,
  openName,
  removeName,
  splitPath,
  withFd,
} from '../rootfs/root-paths.ts';
import { resolveUser } from '../spec/user.ts';
import { readUserFiles } from '../tasks/host-facts.ts';
import { WriteBatch } from './write-batch.ts';
import { WrittenNames } from './written-names.ts';

export interface WriteArchiveOptions {
  /** A folder is never replaced by something else, nor something else by a folder. */
  noOverwriteDirNonDir: boolean;
  /** `user[:group]` as the root's own passwd and group have it: owns every entry instead of whom the archive names. */
  owner?: string | undefined;
  /** The archive's entry for its top sets owner, mode and time of the folder itself. */
  ownRoot?: boolean;
  limits?: Partial<ArchiveLimits>;
}

/**
 * @param path an existing folder in the root; a link to one is followed
 * Throws `not-found`; `invalid` when it is no folder, and for damaged archives and entries that lead out. What an
 * archive that exceeds a limit has brought is removed; what it replaced does not come back.
 */
export async function writeArchive(
  root: string,
  path: string,
  stream: NodeJS.ReadableStream | Readable,
  options: WriteArchiveOptions,
): Promise<void> {
  checkFolder(root, path);
  const owner = options.owner === undefined ? undefined : resolveUser(options.owner, [], readUserFiles(root));
  const target: Target = { root, path, options, folders: [], written: new WrittenNames(root) };
  try {
    await writeEntries(target, stream as AsyncIterable<Uint8Array>, owner);
  } catch (error) {
    if (error instanceof ArchiveLimitError) await target.written.remove();
    throw error;
  }
}

async function writeEntries(
  target: Target,
  stream: AsyncIterable<Uint8Array>,
  owner: { uid: number; gid: number } | undefined,
): Promise<void> {
  const meter = new ArchiveMeter(target.options.limits);
  const { stream: plain } = await decompress(stream, meter);
  const turn = new TimeSlice();
  for await (const entry of tarEntries(plain, meter)) {
    if (turn.isOver) await turn.next();
    if (owner !== undefined) Object.assign(entry.header, { uid: owner.uid, gid: owner.gid });
    await writeEntry(target, entry).catch((error: unknown) => {
      throw explained(error, `${target.path}/${entry.header.name}`);
    });
  }
  for (const { place, mtime } of target.folders.toReversed()) {
    if (turn.isOver) await turn.next();
    setFolderTime(target, place, mtime);
  }
}

/** Node's own errors name the descriptor; the reader knows the path. */
function explained(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof NetyardError) return error;
  if (!('errno' in error) || typeof error.errno !== 'number') return error;
  const text = getSystemErrorMap().get(error.errno)?.[1] ?? error.message;
  return new NetyardError('internal', `cannot write ${place.replace(/\/+/g, '/')}: ${text}`, { cause: error });
}

interface Target {
  root: string;
  path: string;
  options: WriteArchiveOptions;
  /** Times of folders are set last: what is made in them would change them. */
  folders: { place: string; mtime: bigint }[];
  written: WrittenNames;
}

function checkFolder(root: string, path: string): void {
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

/** Docker's words; what is no part of the root's own file system is a volume or a bind mount. */
function checkWritable(root: string, folder: number): void {
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
    target.folders.push({ place: target.path, mtime: header.mtime });
    return;
  }
  target.written.note(`${target.path}/${member}`, header.type === 'directory');
  const { parent, name } = splitPath(`${target.path}/${member}`);
  const folder = makeFolders(target.root, parent);
  try {
    await prepareName(target, folder, name, header);
    if (header.type === 'file' || header.type === 'contiguous-file') await writeFile(folder, name, entry);
    else makeNode(target, folder, name, header);
  } finally {
    closeSync(folder);
  }
  if (header.type === 'directory') target.folders.push({ place: `${target.path}/${member}`, mtime: header.mtime });
}

/** Takes away what the entry replaces. */
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

async function writeFile(folder: number, name: string, { header, pieces }: TarEntry): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(inFd(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const batch = new WriteBatch(fd);
    for await (const { position, data } of pieces) await batch.add(position, data);
    await batch.flush();
    if (header.sparse !== undefined) ftruncateSync(fd, header.size);
    own(atFd(fd), header);
    setTimes(folder, name, header.mtime);
  } finally {
    closeSync(fd);
  }
}

/** Everything but regular files. */
function makeNode(target: Target, folder: number, name: string, header: TarHeader): void {
  const place = inFd(folder, name);
  switch (header.type) {
    case 'directory':
      if (lstatName(folder, name) === undefined) mkdirSync(place, { mode: 0o700 });
      ownName(folder, name, header);
      return;
    case 'symlink':
      symlinkSync(fsPath(header.linkname), place);
      lchownSync(place, header.uid, header.gid);
      break;
    case 'link':
      linkMember(target, folder, name, header);
      return;
    case 'fifo':
      makeFifo(`${atFd(folder)}/${name}`);
      ownName(folder, name, header);
      break;
    case 'character-device':
    case 'block-device': {
      const kind = header.type === 'block-device' ? 'block' : 'character';
      makeDevice(`${atFd(folder)}/${name}`, kind, header.devmajor, header.devminor);
      ownName(folder, name, header);
      break;
    }
    default:
      throw new NetyardError('invalid', `${header.name} is of a kind that cannot be unpacked`);
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

/** Owner before mode: a change of owner takes the set-user-id bit away. `place` is the path of a descriptor. */
function own(place: string, { uid, gid, mode, xattrs }: TarHeader): void {
  chownSync(place, uid, gid);
  chmodSync(place, mode & 0o7777);
  for (const [name, value] of xattrs) setXattrIfPossible(place, name, value);
}

/** Attributes of `trusted.` are the host's and overlayfs' own; a file system without attributes takes the file alone. */
function setXattrIfPossible(place: string, name: string, value: Uint8Array): void {
  if (name.startsWith('trusted.')) return;
  try {
    setXattr(place, name, value);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP')) throw error;
  }
}

/** The same for what must not be opened: held without opening. */
function ownName(folder: number, name: string, header: TarHeader): void {
  withFd(openName(folder, name), (fd) => own(atFd(fd), header));
}

function setFolderTime(target: Target, place: string, mtime: bigint): void {
  const { parent, name } = splitPath(place);
  withFd(openFolder(target.root, parent), (folder) => {
    const entry = name === '' ? '.' : name;
    if (lstatName(folder, entry)?.isDirectory()) setTimes(folder, entry, mtime);
  });
}
