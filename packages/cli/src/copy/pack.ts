/** Packs a local file or folder as a tar stream. Symbolic links are not followed, except the first on request. */
import { type BigIntStats, createReadStream, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { encodeEnd, encodeHeader, encodePadding, fsPath, NetyardError, tarHeader, textOf } from '@netyard/core';

/** `name`: name of the first entry. */
export function packPath(path: string, name: string, followLink: boolean): Readable {
  return Readable.from(archiveOf(path, name, followLink), { objectMode: false });
}

/** First name in the archive of files with several links, by device and inode. */
type HardLinks = Map<string, string>;

async function* archiveOf(path: string, name: string, followLink: boolean): AsyncGenerator<Uint8Array> {
  const first = (followLink ? statSync : lstatSync)(path, { bigint: true });
  yield* packEntry(path, name, first, new Map());
  yield encodeEnd();
}

async function* packEntry(path: string, name: string, stat: BigIntStats, links: HardLinks): AsyncGenerator<Uint8Array> {
  const { uid, gid, mtimeNs: mtime } = stat;
  const common = { name, mode: Number(stat.mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtime };
  if (stat.isDirectory()) {
    yield encodeHeader(tarHeader({ ...common, name: `${name}/`, type: 'directory' }));
    const names = readdirSync(fsPath(path), 'buffer').map((each) => textOf(each));
    for (const child of names.sort()) {
      const below = `${path.replace(/\/$/, '')}/${child}`;
      yield* packEntry(below, `${name}/${child}`, lstatSync(fsPath(below), { bigint: true }), links);
    }
    return;
  }
  const key = `${stat.dev}:${stat.ino}`;
  const linkname = stat.nlink > 1n ? links.get(key) : undefined;
  if (linkname !== undefined) yield encodeHeader(tarHeader({ ...common, type: 'link', linkname }));
  else yield* packNode(path, common, stat);
  if (stat.nlink > 1n) links.set(key, linkname ?? name);
}

async function* packNode(path: string, common: { name: string }, stat: BigIntStats): AsyncGenerator<Uint8Array> {
  if (stat.isSymbolicLink()) {
    const linkname = textOf(readlinkSync(fsPath(path), 'buffer'));
    yield encodeHeader(tarHeader({ ...common, type: 'symlink', linkname }));
  } else if (stat.isFile()) yield* packFile(path, common, Number(stat.size));
  else if (stat.isFIFO()) yield encodeHeader(tarHeader({ ...common, type: 'fifo' }));
  else if (stat.isCharacterDevice() || stat.isBlockDevice()) {
    const type = stat.isBlockDevice() ? 'block-device' : 'character-device';
    yield encodeHeader(tarHeader({ ...common, type, ...deviceNumbers(stat.rdev) }));
  }
}

/** glibc's major(3) and minor(3), for 32 bits. */
function deviceNumbers(device: bigint): { devmajor: number; devminor: number } {
  const number = Number(device);
  return { devmajor: (number >>> 8) & 0xfff, devminor: (number & 0xff) | ((number >>> 12) & 0xfff00) };
}

async function* packFile(path: string, common: { name: string }, size: number): AsyncGenerator<Uint8Array> {
  yield encodeHeader(tarHeader({ ...common, size }));
  if (size === 0) return;
  let length = 0;
  for await (const chunk of createReadStream(fsPath(path), { end: size - 1 }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    yield chunk;
  }
  if (length < size) throw new NetyardError('conflict', `${common.name} became shorter while it was read`);
  yield encodePadding(size);
}
