/**
 * Unpacks a tar stream into a local folder. Nothing is written outside of the folder, neither by `..` nor through a link
 * of the archive. Files belong to the caller; device files are skipped. Because of node:fs, times are exact to about a
 * microsecond, before 1970 to a millisecond.
 */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  write,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fsPath, memberPath, NetyardError, type TarEntry, tarEntries } from '@netyard/core';

const writeLater = promisify(write);

/**
 * @param rename new name of each member
 * @returns names of the members that were skipped
 */
export async function unpack(
  source: AsyncIterable<Uint8Array>,
  folder: string,
  rename: (name: string) => string,
): Promise<string[]> {
  const links = new Set<string>();
  const folders: { path: string | Buffer; mode: number; mtime: number | Date }[] = [];
  const leftOut: string[] = [];
  for await (const entry of tarEntries(source)) {
    const { header } = entry;
    const inside = safePath(rename(header.name), links);
    const path = fsPath(join(folder, inside));
    const mtime = fileTime(header.mtime);
    const mode = header.mode & 0o7777;
    if (header.type === 'directory') {
      makeFolder(path);
      folders.push({ path, mode, mtime });
    } else if (!(await unpackOne(entry, { path, inside, folder, mode, mtime, links, rename }))) {
      leftOut.push(header.name);
    }
  }
  // Last, because files created in a folder change its time, and its mode may deny writing.
  for (const { path, mode, mtime } of folders.reverse()) {
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  }
  return leftOut;
}

/** A time for node:fs: seconds, or a Date before 1970, because negative numbers mean the present. Pure. */
function fileTime(nanoseconds: bigint): number | Date {
  if (nanoseconds < 0n) return new Date(Math.round(Number(nanoseconds) / 1e6));
  return Number(nanoseconds / 1_000_000_000n) + Number(nanoseconds % 1_000_000_000n) / 1e9;
}

function safePath(name: string, links: ReadonlySet<string>): string {
  const inside = memberPath(name);
  if (inside === undefined)
    throw new NetyardError('invalid', `invalid tar archive: ${JSON.stringify(name)} is outside of the destination`);
  for (let above = dirname(inside); above !== '.' && above !== '/'; above = dirname(above)) {
    if (links.has(above))
      throw new NetyardError('invalid', `invalid tar archive: ${JSON.stringify(name)} leads through a symbolic link`);
  }
  return inside;
}

function makeFolder(path: string | Buffer): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  rmSync(path, { force: true });
  mkdirSync(path, { recursive: true });
}

interface Placed {
  path: string | Buffer;
  inside: string;
  folder: string;
  mode: number;
  mtime: number | Date;
  links: Set<string>;
  rename: (name: string) => string;
}

/** @returns false for a skipped member */
async function unpackOne(entry: TarEntry, placed: Placed): Promise<boolean> {
  const { path, folder, mode, mtime, links } = placed;
  const { type, linkname } = entry.header;
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const shown = JSON.stringify(join(folder, placed.inside));
    throw new NetyardError('conflict', `cannot overwrite directory ${shown} with non-directory`);
  }
  rmSync(path, { force: true });
  links.delete(placed.inside);
  if (type === 'symlink') {
    symlinkSync(fsPath(linkname), path);
    lutimesSync(path, mtime, mtime);
    links.add(placed.inside);
  } else if (type === 'link') {
    const target = safePath(placed.rename(linkname), links);
    linkSync(fsPath(join(folder, target)), path);
    if (links.has(target)) links.add(placed.inside);
  } else if (type === 'file' || type === 'contiguous-file') {
    await writeFile(path, entry);
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  } else if (type === 'fifo') {
    const { makeFifo } = await import('@netyard/kernel');
    makeFifo(join(folder, placed.inside));
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  } else return false;
  return true;
}

async function writeFile(path: string | Buffer, { header, pieces }: TarEntry): Promise<void> {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for await (const { position, data } of pieces) {
      for (let done = 0; done < data.length; )
        done += (await writeLater(fd, data, done, data.length - done, position + done)).bytesWritten;
    }
    if (header.sparse !== undefined) ftruncateSync(fd, header.size);
  } finally {
    closeSync(fd);
  }
}
