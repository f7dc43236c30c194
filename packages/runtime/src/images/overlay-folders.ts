/**
 * Layout of layers and containers' file systems below the data root:
 *
 *     overlay/layers/HEX/diff      an unpacked layer, by chain id; `size` beside it
 *     overlay/layers/HEX/tar       what its archive is assembled from, with `digest` (see layers/)
 *     overlay/layers/HEX/gzip      digest and size of that archive as it was compressed for a registry
 *     overlay/init/HEX             mount points prepared on top of the chain HEX (see init-layer.ts)
 *     overlay/containers/ID/…      upper, work, merged
 *     overlay/temporary/…          half-created or half-removed directories: leftovers after a crash
 *
 * Directories appear under their final name, and disappear from it, by one rename. Nothing is mounted here.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isFullId, NetyardError } from '@netyard/core';
import { removeTree, separateSubdirectories, syncFileSystem, unmount } from '@netyard/kernel';
import { isMountPoint } from '../rootfs/root-paths.ts';

/** Directories of one container. */
export interface ContainerFolders {
  home: string;
  upper: string;
  work: string;
  merged: string;
}

/** Beside `digest`; see layers/. */
const archiveFiles = ['tar', 'moved', 'replaced'];

export class OverlayFolders {
  readonly root: string;

  /** Creates the directories, accessible by root only, as layers contain set-user-id programs and devices. */
  constructor(dataRoot: string) {
    this.root = join(dataRoot, 'overlay');
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    for (const name of ['layers', 'init', 'containers', 'temporary']) {
      mkdirSync(join(this.root, name), { recursive: true, mode: 0o700 });
    }
    for (const name of ['temporary', 'containers']) this.#separate(join(this.root, name));
  }

  /**
   * For layers, which begin as temporary directories, and containers. ext4 would place the files of all of them together,
   * and look at each inode that was freed in the last minutes before it takes one (recently_deleted in
   * fs/ext4/ialloc.c): a `load` after an `rmi` took several times the processor time.
   */
  #separate(folder: string): void {
    const fd = openSync(folder, 'r');
    try {
      separateSubdirectories(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Free bytes on the file system of the layers. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.root);
    return bavail * bsize;
  }

  /** After a power failure, a layer under its final path is whole. */
  async sync(): Promise<void> {
    const fd = openSync(this.root, 'r');
    try {
      if (!(await syncFileSystem(fd))) throw new NetyardError('failed', `cannot write ${this.root} to the disk`);
    } finally {
      closeSync(fd);
    }
  }

  layer(chainId: string): string {
    return join(this.root, 'layers', hexOf(chainId));
  }

  diff(chainId: string): string {
    return join(this.layer(chainId), 'diff');
  }

  /** False also for a damaged one: another program deleted its directory, its files or its size. */
  hasLayer(chainId: string): boolean {
    const size = this.#recordedSize(chainId);
    return size !== undefined && this.#hasFiles(chainId, size);
  }

  #recordedSize(chainId: string): number | undefined {
    try {
      const text = readFileSync(join(this.layer(chainId), 'size'), 'utf8');
      return /^\d+$/.test(text) ? Number(text) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Only a layer without bytes may be empty. */
  #hasFiles(chainId: string, size: number): boolean {
    try {
      const folder = opendirSync(this.diff(chainId));
      try {
        return size === 0 || folder.readSync() !== null;
      } finally {
        folder.closeSync();
      }
    } catch {
      return false;
    }
  }

  layers(): string[] {
    return readdirSync(join(this.root, 'layers')).map((hex) => `sha256:${hex}`);
  }

  layerSize(chainId: string): number {
    const size = this.#recordedSize(chainId);
    if (size === undefined) throw new NetyardError('not-found', `no such layer: ${chainId}`);
    return size;
  }

  /** The archive that can be assembled from a layer's files; undefined when it is a blob. */
  layerArchive(chainId: string): { digest: string; length: number } | undefined {
    const path = join(this.layer(chainId), 'digest');
    if (!existsSync(path)) return undefined;
    const [digest = '', length] = readFileSync(path, 'utf8').split(' ');
    return { digest, length: Number(length) };
  }

  /** What a layer's archive was compressed to; undefined when that is not recorded, or cannot be read. */
  compressedArchive(chainId: string): { digest: string; size: number } | undefined {
    try {
      const text = readFileSync(join(this.layer(chainId), 'gzip'), 'utf8');
      const [, digest, size] = /^(sha256:[0-9a-f]{64}) (\d+)\n$/.exec(text) ?? [];
      return digest === undefined ? undefined : { digest, size: Number(size) };
    } catch {
      return undefined;
    }
  }

  /** Without effect on a full disk, or when the layer is gone: the next push compresses it again. */
  recordCompressed(chainId: string, { digest, size }: { digest: string; size: number }): void {
    try {
      writeFileSync(join(this.layer(chainId), 'gzip'), `${digest} ${size}\n`, { mode: 0o600 });
    } catch {
      // a push whose layers have arrived does not fail because of it
    }
  }

  /** Moves an unpacked layer to its final path; an existing one is kept, a damaged one completed. Returns whether it was moved. */
  async commitLayer(
    unpacked: string,
    chainId: string,
    { size, archive }: { size: number; archive?: { digest: string; length: number } },
  ): Promise<boolean> {
    writeFileSync(join(unpacked, 'size'), String(size));
    if (archive) writeFileSync(join(unpacked, 'digest'), `${archive.digest} ${archive.length}`);
    try {
      renameSync(unpacked, this.layer(chainId));
      return true;
    } catch (error) {
      if (!existsSync(this.layer(chainId))) throw error;
      if (!this.hasLayer(chainId)) {
        this.#restoreLayer(unpacked, chainId, size);
        return true;
      }
      await removeTree(unpacked);
      return false;
    }
  }

  /** Moves what a damaged layer lacks. Files that it still has are kept: running containers may use them. */
  #restoreLayer(unpacked: string, chainId: string, size: number): void {
    const layer = this.layer(chainId);
    const move = (name: string): void => renameSync(join(unpacked, name), join(layer, name));
    if (!this.#hasFiles(chainId, size)) move('diff'); // also onto an empty directory
    for (const name of archiveFiles) {
      if (existsSync(join(unpacked, name)) && !existsSync(join(layer, name))) move(name);
    }
    if (existsSync(join(unpacked, 'digest'))) move('digest');
    move('size');
  }

  /** Moves what the archive of the same layer is assembled from to a layer that has none. */
  adoptArchive(unpacked: string, chainId: string, archive: { digest: string; length: number }): void {
    const layer = this.layer(chainId);
    for (const name of archiveFiles) {
      if (existsSync(join(unpacked, name))) renameSync(join(unpacked, name), join(layer, name));
    }
    writeFileSync(join(unpacked, 'digest'), `${archive.digest} ${archive.length}`);
    renameSync(join(unpacked, 'digest'), join(layer, 'digest')); // last: it announces the others
  }

  async removeLayer(chainId: string): Promise<void> {
    await this.discard(this.init([chainId]));
    await this.discard(this.layer(chainId));
  }

  /** The init layer of containers with these layers, lowest first. */
  init(layers: readonly string[]): string {
    const top = layers.at(-1);
    return join(this.root, 'init', top === undefined ? 'scratch' : hexOf(top));
  }

  container(id: string): ContainerFolders {
    if (!isFullId(id)) throw new NetyardError('invalid', `not a container id: ${id}`);
    const home = join(this.root, 'containers', id);
    return { home, upper: join(home, 'upper'), work: join(home, 'work'), merged: join(home, 'merged') };
  }

  containers(): string[] {
    return readdirSync(join(this.root, 'containers'));
  }

  /** An empty directory; after a crash `removeTemporary` deletes it. */
  makeTemporary(): string {
    const folder = join(this.root, 'temporary', randomBytes(8).toString('hex'));
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  }

  /** Removes leftovers of a crash, mounts included. Only at the start, when nothing is being created. */
  async removeTemporary(): Promise<void> {
    for (const name of readdirSync(join(this.root, 'temporary'))) {
      const folder = join(this.root, 'temporary', name);
      const merged = join(folder, 'merged');
      while (isMountPoint(merged)) unmount(merged, { lazy: true });
      await removeTree(folder);
    }
  }

  /**
   * Removes a directory atomically: a crash cannot leave half of it under its name. No error when it does not exist.
   */
  async discard(folder: string): Promise<void> {
    if (!existsSync(folder)) return;
    const grave = join(this.root, 'temporary', randomBytes(8).toString('hex'));
    renameSync(folder, grave);
    await removeTree(grave);
  }
}

function hexOf(chainId: string): string {
  const hex = chainId.slice('sha256:'.length);
  if (!chainId.startsWith('sha256:') || !isFullId(hex)) throw new NetyardError('invalid', `not a chain id: ${chainId}`);
  return hex;
}
