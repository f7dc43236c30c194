/**
 * Makes a tar archive of a file or folder in a container's root (`docker cp`, `export`, volumes) while the container
 * may be changing it: folders are held by descriptor, links are stored and never followed, a file that shrinks while it
 * is read is filled up with zeros. Attributes whose values are not text are left out (tar-stream writes text only).
 */
import { closeSync, fstatSync, read, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { NetyardError, paxXattr, type TarHeader } from '@netyard/core';
import type { PathStat } from '@netyard/engine';
import { getXattr, hasErrno, listXattrs } from '@netyard/kernel';
import { type Pack, pack } from 'tar-stream';
import { baseName, openPath, statInRoot, wantsFolder } from './path-stat.ts';
import { atFd, openFolder, openName, openRegular, splitPath } from './root-paths.ts';

const readLater = promisify(read);
const chunkSize = 256 * 1024;
/** So much may wait to be fetched before reading goes on. */
const highWater = 1024 * 1024;

/** The archive of a path and what `statInRoot` says of it. Throws `not-found`. */
export function readArchive(root: string, path: string): { stat: PathStat; stream: Readable } {
  const stat = statInRoot(root, path);
  if (stat === undefined) throw new NetyardError('not-found', `no such file or directory: ${path}`);
  const fd = openPath(root, path);
  const isFolder = fstatSync(fd).isDirectory();
  closeSync(fd);
  if (isFolder || wantsFolder(path)) return { stat, stream: readTree(root, path, baseName(path)) };
  return { stat, stream: readFile(root, path) };
}

/**
 * A folder and all in it, with `base` as its own name: '/' and '.' name the top, '' leaves the top's own entry out
 * and gives plain relative names.
 */
export function readTree(root: string, path: string, base: string): Readable {
  return archiveOf(async (archive) => {
    const folder = openFolder(root, path);
    try {
      if (base !== '') await archive.add(base, folder);
      const prefix = base === '' || base === '/' ? base : `${base}/`;
      await addChildren(archive, folder, prefix);
    } finally {
      closeSync(folder);
    }
  });
}

function readFile(root: string, path: string): Readable {
  return archiveOf(async (archive) => {
    const { parent, name } = splitPath(path);
    const folder = openFolder(root, parent);
    try {
      await addName(archive, folder, name, name);
    } finally {
      closeSync(folder);
    }
  });
}

async function addChildren(archive: ArchiveWriter, folder: number, prefix: string): Promise<void> {
  for (const name of readdirSync(atFd(folder)).sort()) await addName(archive, folder, name, prefix + name);
}

async function addName(archive: ArchiveWriter, folder: number, name: string, as: string): Promise<void> {
  let held: number;
  try {
    held = openName(folder, name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return; // removed meanwhile
    throw error;
  }
  try {
    await archive.add(as, held, { folder, name });
    if (fstatSync(held).isDirectory()) await addChildren(archive, held, `${as}/`);
  } finally {
    closeSync(held);
  }
}

/** A stream that runs `fill` as it is read; given up early, `fill` ends with an error at its next step. */
function archiveOf(fill: (archive: ArchiveWriter) => Promise<void>): Readable {
  const archive = new ArchiveWriter();
  const generate = async function* (): AsyncGenerator<Uint8Array> {
    const filling = fill(archive).then(
      () => archive.end(),
      (error: unknown) => archive.fail(error),
    );
    try {
      yield* archive.chunks();
    } finally {
      archive.fail(new NetyardError('internal', 'nobody reads the archive any more'));
      await filling;
    }
  };
  return Readable.from(generate(), { objectMode: false });
}

/** tar-stream's packer with a limit on what it holds in memory. */
class ArchiveWriter {
  readonly #pack: Pack = pack();
  readonly #seen = new Map<string, string>();
  /** Bytes packed and not fetched. */
  #waiting = 0;
  #wake: (() => void) | undefined;
  #failure: unknown;

  constructor() {
    const push = this.#pack.push.bind(this.#pack);
    this.#pack.push = (chunk?: unknown) => {
      this.#waiting += chunk instanceof Uint8Array ? chunk.length : 0;
      return push(chunk);
    };
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#pack as AsyncIterable<Uint8Array>) {
        this.#waiting -= chunk.length;
        this.#wake?.();
        yield chunk;
      }
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  end(): void {
    this.#pack.finalize();
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake?.();
    this.#pack.destroy(error instanceof Error ? error : new Error(String(error)));
  }

  /** Adds what a descriptor holds; `source` is where a regular file's content can be opened. */
  async add(as: string, held: number, source?: Place): Promise<void> {
    const stat = fstatSync(held);
    const header = this.#headerOf(as, held, stat, source);
    if (header === undefined) return;
    if (header.type === 'file' && source !== undefined) await this.#addContent(header, source, stat.size);
    else this.#pack.entry(header).on('error', told);
    await this.#room();
  }

  #headerOf(as: string, held: number, stat: Stats, source?: Place): TarHeader | undefined {
    const type = typeOf(stat);
    if (type === undefined) return undefined; // a socket: tar has none
    const key = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1 && type === 'file' ? this.#seen.get(key) : undefined;
    if (first === undefined) this.#seen.set(key, as);
    const attributes = paxRecords(held, stat);
    const header: TarHeader = {
      name: type === 'directory' && !as.endsWith('/') ? `${as}/` : as,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      mtime: stat.mtime,
      type: first === undefined ? type : 'link',
      ...(attributes ? { pax: attributes } : {}),
    };
    if (first !== undefined) header.linkname = first;
    else if (type === 'symlink' && source) header.linkname = readlinkSync(atFd(source.folder, source.name));
    else if (type === 'file') header.size = stat.size;
    else if (type.endsWith('-device')) Object.assign(header, splitDevice(stat.rdev));
    return header;
  }

  async #addContent(header: TarHeader, source: Place, size: number): Promise<void> {
    const fd = openRegular(source.folder, source.name);
    const sink = this.#pack.entry(header).on('error', told);
    const buffer = Buffer.alloc(Math.min(chunkSize, size));
    try {
      for (let position = 0; position < size; ) {
        const wanted = Math.min(buffer.length, size - position);
        const { bytesRead } = await readLater(fd, buffer, 0, wanted, position);
        if (bytesRead === 0) buffer.fill(0, 0, wanted); // it shrank
        const length = bytesRead === 0 ? wanted : bytesRead;
        sink.write(Buffer.from(buffer.subarray(0, length)));
        position += length;
        await this.#room();
      }
      sink.end(null);
    } finally {
      closeSync(fd);
    }
  }

  /** Waits while too much of what was packed has not been fetched. */
  async #room(): Promise<void> {
    while (this.#failure === undefined && this.#waiting > highWater) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Failures end the whole archive, and are told there; without a listener they would end the process. */
const told = (): void => undefined;

/** A name in a held folder. */
interface Place {
  folder: number;
  name: string;
}

function typeOf(stat: Stats): NonNullable<TarHeader['type']> | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  if (stat.isBlockDevice()) return 'block-device';
  return undefined;
}

/** glibc's major(3) and minor(3), as far as 32 bits go. */
function splitDevice(device: number): { devmajor: number; devminor: number } {
  return { devmajor: (device >>> 8) & 0xfff, devminor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

const largestOctalId = 0o7777777;

/** What a plain header has no place for. */
function paxRecords(held: number, stat: Stats): Record<string, string> | undefined {
  const records: Record<string, string> = {};
  if (stat.uid > largestOctalId) records['uid'] = String(stat.uid);
  if (stat.gid > largestOctalId) records['gid'] = String(stat.gid);
  if (stat.isFile() || stat.isDirectory()) {
    for (const name of listXattrs(atFd(held)).filter((each) => !each.startsWith('trusted.'))) {
      const value = getXattr(atFd(held), name);
      const text = value && Buffer.from(value).toString();
      if (text !== undefined && Buffer.from(text).equals(value ?? Buffer.alloc(0))) records[paxXattr(name)] = text;
    }
  }
  return Object.keys(records).length === 0 ? undefined : records;
}
