/** One entry of an archive, read from a descriptor: header, content, padding. */

import { randomUUID } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  read,
  readlinkSync,
  readSync,
  statfsSync,
  unlinkSync,
  write,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  encodeHeader,
  encodePadding,
  NetyardError,
  type TarHeader,
  type TarType,
  tarHeader,
  textOf,
} from '@netyard/core';
import { getXattr, listFileXattrs, listXattrs } from '@netyard/kernel';
import { atFd, type EntryLocation, inFd } from '../rootfs/root-paths.ts';
import { checkUpperXattr } from './whiteouts.ts';

const readLater = promisify(read);
const writeLater = promisify(write);

/** Files up to this size are read before their header is written. */
const smallFile = 256 * 1024;
const chunkSize = 256 * 1024;
/**
 * Chunks up to this size are read synchronously: passing one to the thread pool takes longer than the read, whose pages
 * are mostly in memory. The caller's time slice is checked between files.
 */
const readInPlace = 64 * 1024;
/** Maximum content of a file without a size of its own; it is spooled on disk. */
const largestUnsized = 256 * 1024 * 1024;

/** The first names of files, links, pipes and devices that have several. */
export class HardLinks {
  readonly #names = new Map<string, string>();

  /** The name that the file already has in the archive. */
  find(stat: BigIntStats): string | undefined {
    return stat.nlink < 2n ? undefined : this.#names.get(keyOf(stat));
  }

  /** Call this when the archive contains the file: if it is removed before, none of its names is in the archive. */
  add(stat: BigIntStats, as: string): void {
    if (stat.nlink > 1n) this.#names.set(keyOf(stat), as);
  }
}

export interface EntryOptions {
  links: HardLinks;
  /** The entry is part of an image layer. */
  isLayer?: boolean;
}

const keyOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

/**
 * Returns the type of the entry; undefined: no entry was written.
 * @param source where a symbolic link's text can be read; undefined for a directory
 */
export async function* entryOf(
  as: string,
  held: number,
  source: EntryLocation | undefined,
  { links, isLayer = false }: EntryOptions,
): AsyncGenerator<Uint8Array, TarType | undefined> {
  const stat = fstatSync(held, { bigint: true });
  const type = typeOf(stat);
  if (type === undefined) return undefined; // a socket: tar has none
  const base = headerOf(as, stat, type);
  if (type === 'directory' || source === undefined) {
    yield encodeHeader({ ...base, xattrs: xattrsOf(as, held, listXattrs(atFd(held)), isLayer) });
    return type;
  }
  const first = links.find(stat);
  if (first !== undefined) {
    yield encodeHeader({ ...base, type: 'link', linkname: first });
    return type;
  }
  if (type === 'file') yield* fileEntry(base, held, stat, isLayer);
  else if (type === 'symlink') yield encodeHeader({ ...base, linkname: textAt(source) });
  else yield encodeHeader(base);
  links.add(stat, as);
  return type;
}

const textAt = ({ folder, name }: EntryLocation): string => textOf(readlinkSync(inFd(folder, name), 'buffer'));

function headerOf(as: string, stat: BigIntStats, type: TarType): TarHeader {
  const isDevice = type.endsWith('-device');
  const device = Number(stat.rdev);
  return tarHeader({
    name: type === 'directory' && !as.endsWith('/') ? `${as}/` : as,
    type,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    // glibc's major(3) and minor(3), limited to 32 bits
    devmajor: isDevice ? (device >>> 8) & 0xfff : 0,
    devminor: isDevice ? (device & 0xff) | ((device >>> 12) & 0xfff00) : 0,
  });
}

function typeOf(stat: BigIntStats): TarType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  if (stat.isBlockDevice()) return 'block-device';
  return undefined;
}

/**
 * Attributes of `trusted.` belong to the host and overlayfs. A layer has none of `user.overlay.` either, which only mean
 * something to overlayfs and are rejected when a layer is unpacked.
 */
function xattrsOf(as: string, held: number, names: readonly string[], isLayer: boolean): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const name of names) {
    if (isLayer) checkUpperXattr(name, as);
    const isReserved = name.startsWith('trusted.') || (isLayer && name.startsWith('user.overlay.'));
    const value = isReserved ? undefined : getXattr(atFd(held), name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** `held` is known to be a regular file, so opening it cannot block or have an effect, as that of a device could. */
async function* fileEntry(
  plain: TarHeader,
  held: number,
  stat: BigIntStats,
  isLayer: boolean,
): AsyncGenerator<Uint8Array> {
  const fd = openSync(atFd(held), constants.O_RDONLY | constants.O_NONBLOCK); // /proc/kmsg would block for ever
  try {
    const base = { ...plain, xattrs: xattrsOf(plain.name, held, listFileXattrs(fd), isLayer) };
    const size = Number(stat.size);
    // Without blocks on disk the size may be artificial: 0 in proc, a page in sysfs.
    const isUnsized = stat.blocks === 0n && size <= 4096;
    if (isUnsized) checkReader(fd, base.name);
    if (size <= smallFile) yield* smallEntry(base, fd, size, isUnsized);
    else yield* largeEntry(base, fd, size);
  } finally {
    closeSync(fd);
  }
}

const PROC_SUPER_MAGIC = 0x9fa0;

/**
 * Some files of proc show the namespaces of their reader (host name, network sysctls, System V IPC): read by the
 * daemon, they would show the host's.
 */
function checkReader(fd: number, name: string): void {
  if (statfsSync(atFd(fd)).type !== PROC_SUPER_MAGIC) return;
  if (!/\/proc\/(?:sys|sysvipc|keys)(?:\/|$)/.test(readlinkSync(atFd(fd)))) return;
  throw new NetyardError('invalid', `${name} depends on the namespaces of its reader and cannot be copied`, {
    hint: 'run `docker exec CONTAINER cat FILE`',
  });
}

/** Read first, so that the header has the size that was read. */
async function* smallEntry(base: TarHeader, fd: number, size: number, isUnsized: boolean): AsyncGenerator<Uint8Array> {
  const most = isUnsized ? smallFile : size;
  const content = await readUpTo(fd, most);
  if (isUnsized && content.length === smallFile) {
    yield* spooledEntry(base, fd, content);
    return;
  }
  const header = encodeHeader({ ...base, size: content.length });
  // One piece: each one takes longer on its way through the generators than the copy.
  yield Buffer.concat([header, content, encodePadding(content.length)]);
}

/** Files of proc do not support reading at an offset, so they are read sequentially. */
async function readUpTo(fd: number, most: number): Promise<Buffer> {
  if (most === 0) return Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(most);
  let length = 0;
  while (length < most) {
    const left = most - length;
    const bytesRead =
      left <= readInPlace
        ? readSync(fd, buffer, length, left, null)
        : (await readLater(fd, buffer, length, left, null)).bytesRead;
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length < most / 2 ? Buffer.from(buffer.subarray(0, length)) : buffer.subarray(0, length);
}

async function* largeEntry(base: TarHeader, fd: number, size: number): AsyncGenerator<Uint8Array> {
  yield encodeHeader({ ...base, size });
  for (let left = size; left > 0; ) {
    const content = await readUpTo(fd, Math.min(chunkSize, left));
    if (content.length === 0) {
      throw new NetyardError('conflict', `${base.name} became shorter while it was read`);
    }
    left -= content.length; // before a reader frees it
    yield content;
  }
  yield encodePadding(size);
}

/** A long file without a size is written to disk to determine it. */
async function* spooledEntry(base: TarHeader, fd: number, head: Buffer): AsyncGenerator<Uint8Array> {
  const path = join(tmpdir(), `netyard-spool-${randomUUID()}`);
  const spool = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    let size = 0;
    for (let content = head; content.length > 0; content = await readUpTo(fd, chunkSize)) {
      for (let done = 0; done < content.length; )
        done += (await writeLater(spool, content, done, content.length - done, size + done)).bytesWritten;
      size += content.length;
      if (size > largestUnsized) throw new NetyardError('invalid', `${base.name} has no end that could be found`);
    }
    yield encodeHeader({ ...base, size });
    const buffer = Buffer.alloc(chunkSize);
    for (let position = 0; position < size; ) {
      const { bytesRead } = await readLater(spool, buffer, 0, Math.min(chunkSize, size - position), position);
      yield Buffer.from(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    yield encodePadding(size);
  } finally {
    closeSync(spool);
  }
}
