/**
 * Releases the disk space of holes after a layer was unpacked: containerd writes the holes of sparse files as zeros.
 * Only zeros are released, so no content changes, even if the archive replaced a name later.
 */
import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { memberPath, type Segment, type TarHeader } from '@netyard/core';
import { hasErrno, punchHole, setTimes } from '@netyard/kernel';
import { inFd, openFolder, splitPath } from '../rootfs/root-paths.ts';

const readLater = promisify(read);
const chunkSize = 1024 * 1024;
const zeros = Buffer.alloc(chunkSize);
/** Smaller ones are not worth the call. */
const smallestHole = 4096;
/** Further holes stay allocated: an archive must not exhaust memory. */
const mostHoles = 1_000_000;

export interface SparseFile {
  member: string;
  size: number;
  holes: Segment[];
}

/** The sparse files of a layer, collected while it is read. */
export class SparseFiles {
  readonly files: SparseFile[] = [];
  #holes = 0;

  add({ name, size, sparse }: TarHeader): void {
    const member = memberPath(name);
    if (sparse === undefined || member === undefined || this.#holes >= mostHoles) return;
    const holes = planHoles(sparse, size);
    this.#holes += holes.length + 1;
    this.files.push({ member, size, holes });
  }
}

/** The gaps between and after the segments. Pure. */
export function planHoles(segments: readonly Segment[], size: number): Segment[] {
  const holes: Segment[] = [];
  let end = 0;
  for (const { offset, length } of [...segments, { offset: size, length: 0 }]) {
    if (offset - end >= smallestHole) holes.push({ offset: end, length: offset - end });
    end = offset + length;
  }
  return holes;
}

/** @param folder of the unpacked layer, not yet in use */
export async function punchHoles(folder: string, files: readonly SparseFile[]): Promise<void> {
  const buffer = Buffer.alloc(chunkSize);
  for (const file of files) await punchFile(folder, file, buffer);
}

async function punchFile(root: string, { member, size, holes }: SparseFile, buffer: Buffer): Promise<void> {
  const { parent, name } = splitPath(member);
  let folder: number | undefined;
  let fd: number | undefined;
  try {
    folder = openFolder(root, parent);
    fd = openSync(inFd(folder, name), constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { mtimeNs, size: found } = fstatSync(fd, { bigint: true });
    if (found !== BigInt(size)) return; // replaced by a later entry
    for (const hole of holes) if (await isZero(fd, hole, buffer)) punchHole(fd, hole.offset, hole.length);
    setTimes(folder, name, mtimeNs);
  } catch (error) {
    // replaced by a later entry, or a file system without holes
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EOPNOTSUPP')) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
    if (folder !== undefined) closeSync(folder);
  }
}

async function isZero(fd: number, { offset, length }: Segment, buffer: Buffer): Promise<boolean> {
  for (let at = offset; at < offset + length; ) {
    const { bytesRead } = await readLater(fd, buffer, 0, Math.min(buffer.length, offset + length - at), at);
    if (bytesRead === 0 || !zeros.subarray(0, bytesRead).equals(buffer.subarray(0, bytesRead))) return false;
    at += bytesRead;
  }
  return true;
}
