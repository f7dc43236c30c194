/**
 * A tar stream onto the local disk. Nothing leaves the folder: neither by `..`, nor through a link that the archive
 * itself brought. Owners stay those of who copies; devices are left out.
 */
import {
  chmodSync,
  createWriteStream,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { memberPath, NetyardError, type TarEntry, tarEntries } from '@netyard/core';

/** `rename`: new name of each member. */
export async function unpack(
  source: AsyncIterable<Uint8Array>,
  folder: string,
  rename: (name: string) => string,
): Promise<void> {
  const links = new Set<string>();
  const folders: { path: string; mode: number; mtime: Date }[] = [];
  for await (const entry of tarEntries(source)) {
    const { header } = entry;
    const inside = safePath(rename(header.name), links);
    const path = join(folder, inside);
    const mtime = new Date(Number(header.mtime / 1_000_000n));
    const mode = header.mode & 0o7777;
    if (header.type === 'directory') {
      makeFolder(path);
      folders.push({ path, mode, mtime });
    } else await unpackOne(entry, { path, inside, folder, mode, mtime, links, rename });
  }
  // Last, as files put into a folder change its time, and a folder may forbid writing.
  for (const { path, mode, mtime } of folders.reverse()) {
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  }
}

function safePath(name: string, links: ReadonlySet<string>): string {
  const inside = memberPath(name);
  if (inside === undefined)
    throw new NetyardError('invalid', `invalid tar archive: ${JSON.stringify(name)} leads out of it`);
  for (let above = dirname(inside); above !== '.' && above !== '/'; above = dirname(above)) {
    if (links.has(above))
      throw new NetyardError('invalid', `invalid tar archive: ${JSON.stringify(name)} goes through a link`);
  }
  return inside;
}

function makeFolder(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  rmSync(path, { force: true });
  mkdirSync(path, { recursive: true });
}

interface Placed {
  path: string;
  inside: string;
  folder: string;
  mode: number;
  mtime: Date;
  links: Set<string>;
  rename: (name: string) => string;
}

async function unpackOne(entry: TarEntry, placed: Placed): Promise<void> {
  const { path, folder, mode, mtime, links } = placed;
  const { type, linkname } = entry.header;
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new NetyardError('conflict', `cannot overwrite directory ${JSON.stringify(path)} with non-directory`);
  }
  rmSync(path, { force: true });
  links.delete(placed.inside);
  if (type === 'symlink') {
    symlinkSync(linkname, path);
    lutimesSync(path, mtime, mtime);
    links.add(placed.inside);
  } else if (type === 'link') {
    const target = safePath(placed.rename(linkname), links);
    linkSync(join(folder, target), path);
  } else if (type === 'file' || type === 'contiguous-file') {
    await pipeline(entry.body, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  }
}
