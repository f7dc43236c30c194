/** A local file or folder as a tar stream. Links are packed as links unless the first one is to be followed. */
import { createReadStream, lstatSync, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';

/** `name`: what the first entry is called. */
export function packPath(path: string, name: string, followLink: boolean): Readable {
  const archive = pack();
  const work = async (): Promise<void> => {
    const first = followLink ? statSync(path) : lstatSync(path);
    await packEntry(archive, path, name, first);
    archive.finalize();
  };
  work().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return archive as unknown as Readable;
}

async function packEntry(archive: Pack, path: string, name: string, stat: Stats): Promise<void> {
  const header = { name, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime: stat.mtime };
  if (stat.isDirectory()) {
    archive.entry({ ...header, name: `${name}/`, type: 'directory' });
    for (const child of readdirSync(path).sort()) {
      const below = join(path, child);
      await packEntry(archive, below, `${name}/${child}`, lstatSync(below));
    }
  } else if (stat.isSymbolicLink()) {
    archive.entry({ ...header, type: 'symlink', linkname: readlinkSync(path) });
  } else if (stat.isFile()) {
    const entry = archive.entry({ ...header, size: stat.size, type: 'file' });
    await pipeline(createReadStream(path, { end: Math.max(stat.size - 1, 0) }), entry);
  } else if (stat.isFIFO()) archive.entry({ ...header, type: 'fifo' });
}
