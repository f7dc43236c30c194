/**
 * Unpacks a layer into a private directory, in one pass: every entry is checked, then created, while the digest of the
 * archive is computed. Marks of deletions become those of overlayfs (OCI image-spec, layer.md). What an entry replaces is
 * kept aside when the archive is to be assembled again from the files.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
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
import { hasErrno, makeDevice, removeTree, setPathTimes, setXattr } from '@netyard/kernel';
import { atFd } from '../../rootfs/root-paths.ts';
import { makeSpecial, own, setXattrs } from '../archive-node.ts';
import { checkLayerEntry, refused } from '../layer-check.ts';
import { readMark } from '../whiteouts.ts';
import { writePieces } from '../write-pieces.ts';
import { movedFile, recordFile } from './assemble.ts';
import type { MovedFile } from './moved-files.ts';
import { joinMember, RealFolders, splitMember } from './real-folders.ts';
import { TarRecorder } from './tar-record.ts';

export interface WriteLayerOptions {
  /** For all its files together, including holes. */
  mostBytes: number;
  limits: Partial<ArchiveLimits>;
  /** The archive will be assembled again: its record is written beside `diff`. */
  keepTar: boolean;
}

export interface LayerReport {
  /** Digest of the uncompressed tar, and its length. */
  diffId: string;
  length: number;
  /** Bytes of all files in it, including holes. */
  size: number;
  /** Directories that were created for entries in them: a lower layer may describe them. */
  undescribed: string[];
}

/**
 * Reads to the end. Throws `invalid`, naming the entry or the limit; what it has written then stays.
 *
 * @param folder an existing directory; the layer becomes `diff` in it
 */
export async function writeLayer(
  stream: AsyncIterable<Uint8Array>,
  folder: string,
  { mostBytes, limits, keepTar }: WriteLayerOptions,
): Promise<LayerReport> {
  const meter = new ArchiveMeter(limits);
  const { stream: plain } = await decompress(stream, meter);
  const sum = { hash: createHash('sha256'), length: 0 };
  const recorder = keepTar ? new TarRecorder(join(folder, recordFile)) : undefined;
  const writer = new LayerWriter(folder, recorder);
  const slice = new TimeSlice();
  let size = 0;
  try {
    for await (const entry of tarEntries(summed(plain, sum), meter, recorder)) {
      if (slice.isOver) await slice.next();
      checkLayerEntry(entry.header);
      size += entry.header.size;
      if (size > mostBytes) throw refused(`its files have more than the ${mostBytes} bytes that are free on the disk`);
      await writer.write(entry);
    }
    recorder?.finish();
  } catch (error) {
    recorder?.close();
    throw error;
  }
  await writer.finish(slice);
  return {
    diffId: `sha256:${sum.hash.digest('hex')}`,
    length: sum.length,
    size,
    undescribed: [...writer.folders.undescribed],
  };
}

async function* summed(
  stream: AsyncIterable<Uint8Array>,
  sum: { hash: { update(data: Uint8Array): unknown }; length: number },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    sum.hash.update(chunk);
    sum.length += chunk.length;
    yield chunk;
  }
}

class LayerWriter {
  readonly folders: RealFolders;
  readonly #folder: string;
  readonly #recorder: TarRecorder | undefined;
  /** Times of directories are set last: creating entries in them would change them. */
  readonly #times = new Map<string, bigint>();
  readonly #moved: MovedFile[] = [];
  #files = 0;

  constructor(folder: string, recorder: TarRecorder | undefined) {
    const diff = join(folder, 'diff');
    mkdirSync(diff, { mode: 0o755 });
    this.#folder = folder;
    this.#recorder = recorder;
    this.folders = new RealFolders(diff);
  }

  async write(entry: TarEntry): Promise<void> {
    const { header } = entry;
    const member = memberPath(header.name) ?? '';
    const { parent, name } = splitMember(member);
    const mark = readMark(member);
    if (mark.kind === 'ignored') return;
    const folder = this.folders.resolve(parent);
    if (mark.kind === 'opaque') setXattr(this.folders.hostPath(folder), 'trusted.overlay.opaque', Buffer.from('y'));
    else if (mark.kind === 'whiteout') this.#whiteOut(joinMember(folder, mark.name), header);
    else await this.#create(member === '' ? '' : joinMember(folder, name), entry);
  }

  async #create(path: string, entry: TarEntry): Promise<void> {
    const { header } = entry;
    const host = this.folders.hostPath(path);
    const present = lstatSync(fsPath(host), { throwIfNoEntry: false });
    if (header.type === 'directory') return this.#makeFolder(path, host, header, present);
    if (path === '') throw refused(`"${header.name}" replaces the top by something else than a directory`);
    if (present) this.#moveAside(path, present);
    if (header.type === 'file' || header.type === 'contiguous-file') return await this.#writeFile(path, host, entry);
    if (header.type === 'link') this.#link(host, header);
    else this.#makeNode(path, host, header);
  }

  #makeFolder(path: string, host: string, header: TarHeader, present: Stats | undefined): void {
    if (present && !present.isDirectory()) this.#moveAside(path, present);
    if (!present?.isDirectory()) mkdirSync(fsPath(host), { mode: 0o700 });
    const fd = openSync(fsPath(host), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      own(atFd(fd), header);
    } finally {
      closeSync(fd);
    }
    this.folders.undescribed.delete(path);
    this.#times.set(path, header.mtime);
  }

  async #writeFile(path: string, host: string, { header, pieces }: TarEntry): Promise<void> {
    this.#recorder?.file(path);
    this.#files += 1;
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const fd = openSync(fsPath(host), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await writePieces(fd, pieces);
      if (header.sparse !== undefined) ftruncateSync(fd, header.size);
      fchownSync(fd, header.uid, header.gid);
      fchmodSync(fd, header.mode & 0o7777);
      if (header.xattrs.size > 0) setXattrs(atFd(fd), header.xattrs);
    } finally {
      closeSync(fd);
    }
    setPathTimes(host, header.mtime);
  }

  #makeNode(path: string, host: string, header: TarHeader): void {
    if (header.type === 'symlink') {
      symlinkSync(fsPath(header.linkname), fsPath(host));
      lchownSync(fsPath(host), header.uid, header.gid);
    } else {
      const { parent, name } = splitMember(path);
      const fd = openSync(fsPath(this.folders.hostPath(parent)), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        makeSpecial(fd, name, header);
      } finally {
        closeSync(fd);
      }
    }
    setPathTimes(host, header.mtime);
  }

  #link(host: string, { name, linkname }: TarHeader): void {
    const target = memberPath(linkname) ?? '';
    const parts = splitMember(target);
    const source = joinMember(this.folders.resolve(parts.parent), parts.name);
    try {
      linkSync(fsPath(this.folders.hostPath(source)), fsPath(host));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EPERM', 'EISDIR')) throw error;
      throw new NetyardError('invalid', `invalid layer: "${name}" is a link to ${linkname}, which it does not have`, {
        cause: error,
      });
    }
  }

  #whiteOut(path: string, { uid, gid }: TarHeader): void {
    const host = this.folders.hostPath(path);
    const present = lstatSync(fsPath(host), { throwIfNoEntry: false });
    if (present) this.#moveAside(path, present);
    makeDevice(host, 'character', 0, 0);
    lchownSync(fsPath(host), uid, gid);
  }

  /** Removes a name; its content is kept, as the archive's record refers to it. */
  #moveAside(path: string, present: Stats): void {
    const to = `replaced/${this.#moved.length}`;
    if (this.#moved.length === 0) mkdirSync(join(this.#folder, 'replaced'), { mode: 0o700 });
    renameSync(fsPath(this.folders.hostPath(path)), join(this.#folder, to));
    this.#moved.push({ before: this.#files, path, to });
    if (!present.isDirectory()) return;
    this.folders.forget();
    this.#times.delete(path);
  }

  async finish(slice: TimeSlice): Promise<void> {
    for (const [path, mtime] of [...this.#times].toReversed()) {
      if (slice.isOver) await slice.next();
      const host = this.folders.hostPath(path);
      if (lstatSync(fsPath(host), { throwIfNoEntry: false })?.isDirectory()) setPathTimes(host, mtime);
    }
    if (this.#moved.length === 0) return;
    if (this.#recorder) writeFileSync(join(this.#folder, movedFile), JSON.stringify(this.#moved), { mode: 0o600 });
    else await removeTree(join(this.#folder, 'replaced'));
  }
}
