/**
 * The root file systems of containers: their directories below the data root, and safe access to their files (the
 * engine's `RootFilesystems`). `RootMounts` mounts them.
 */
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type ArchiveLimits, KeyedQueue, type Logger, NetyardError, silentLogger } from '@netyard/core';
import type { HeldRoot, PathStat, RootFilesystems, RootFolders } from '@netyard/engine';
import { hasErrno, mountOverlay, unmount } from '@netyard/kernel';
import { holdProcess } from '../rootfs/container-process.ts';
import { resolvePath } from '../rootfs/resolve-path.ts';
import { makeFolders } from '../rootfs/root-paths.ts';
import { readArchive, readTree } from './archive-read.ts';
import { writeArchive } from './archive-write.ts';
import { ensureInitLayer } from './init-layer.ts';
import { LayerReader } from './layer-stream.ts';
import { type ViewOptions, withMountView } from './mount-view.ts';
import { changesOf, usedBytes } from './overlay-changes.ts';
import { OverlayFolders } from './overlay-folders.ts';
import { statInRoot } from './path-stat.ts';
import { RootMounts } from './root-mounts.ts';

export interface RootFilesystemsOptions {
  /** Absolute; `overlay` is created below it. */
  dataRoot: string;
  /** For archives that `writeArchive` unpacks; each limit has a default. */
  archiveLimits?: Partial<ArchiveLimits>;
  logger?: Logger;
}

export function openRootFilesystems(options: RootFilesystemsOptions): RootFilesystems {
  return new OverlayRootFilesystems(options);
}

class OverlayRootFilesystems implements RootFilesystems {
  readonly #folders: OverlayFolders;
  readonly #limits: Partial<ArchiveLimits>;
  readonly #mounts: RootMounts;
  readonly #queue = new KeyedQueue();
  readonly #reader = new LayerReader();

  constructor({ dataRoot, archiveLimits = {}, logger = silentLogger }: RootFilesystemsOptions) {
    this.#folders = new OverlayFolders(dataRoot);
    this.#limits = archiveLimits;
    this.#mounts = new RootMounts(this.#folders, (layers) => this.#lower(layers), logger);
  }

  async create(containerId: string, layers: readonly string[]): Promise<void> {
    const { home, upper, work, merged } = this.#folders.container(containerId);
    await this.#queue.run(this.#folders.init(layers), () => ensureInitLayer(this.#folders, layers));
    mkdirSync(home, { mode: 0o700 });
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(work, { mode: 0o700 });
    mkdirSync(merged, { mode: 0o700 });
  }

  mount(containerId: string, layers: readonly string[], isDisposable: boolean): Promise<string> {
    return this.#mounts.mount(containerId, layers, isDisposable);
  }

  detach(containerId: string, pid: number): Promise<void> {
    return this.#mounts.detach(containerId, pid);
  }

  unmount(containerId: string): Promise<void> {
    return this.#mounts.unmount(containerId);
  }

  remove(containerId: string): Promise<void> {
    return this.#mounts.remove(containerId);
  }

  withMounted<T>(containerId: string, layers: readonly string[], work: (root: string) => Promise<T>): Promise<T> {
    return this.#mounts.visit(containerId, layers, ({ path }) => work(path));
  }

  withMounts<T>(
    containerId: string,
    layers: readonly string[],
    view: ViewOptions,
    work: (root: string) => Promise<T>,
  ): Promise<T> {
    return this.#mounts.visit(containerId, layers, (root) => withMountView(this.#folders, root, view, work));
  }

  holdRoot(containerId: string, pid: number): HeldRoot | undefined {
    return holdProcess(containerId, pid);
  }

  /** Uppermost first, as overlayfs expects them. */
  #lower(layers: readonly string[]): string[] {
    return [...layers.map((chainId) => this.#folders.diff(chainId)), this.#folders.init(layers)].toReversed();
  }

  async changes(containerId: string, layers: readonly string[]): ReturnType<RootFilesystems['changes']> {
    const { upper } = this.#folders.container(containerId);
    return this.#withLowerView(layers, (lower) => changesOf(upper, lower));
  }

  readLayer(containerId: string): Readable {
    return this.#reader.read(this.#folders.container(containerId).upper);
  }

  /** The container's lower layers, as one read-only tree. */
  async #withLowerView<T>(layers: readonly string[], work: (root: string) => Promise<T>): Promise<T> {
    const lower = this.#lower(layers);
    const [only, second] = lower;
    if (only !== undefined && second === undefined) return await work(only);
    const temporary = this.#folders.makeTemporary();
    const target = join(temporary, 'merged');
    try {
      mkdirSync(target);
      mountOverlay({ target, lower });
      try {
        return await work(target);
      } finally {
        unmount(target);
      }
    } finally {
      await this.#folders.discard(temporary);
    }
  }

  async size(containerId: string, layers: readonly string[]): Promise<{ writable: number; total: number }> {
    const writable = await usedBytes(this.#folders.container(containerId).upper);
    const below = layers.reduce((sum, chainId) => sum + this.#folders.layerSize(chainId), 0);
    return { writable, total: writable + below };
  }

  async list(): Promise<string[]> {
    return this.#folders.containers();
  }

  folders(containerId: string, layers: readonly string[]): RootFolders {
    const { upper, work, merged } = this.#folders.container(containerId);
    return { lower: this.#lower(layers), upper, work, merged };
  }

  async statInRoot(root: string, path: string): Promise<PathStat | undefined> {
    return statInRoot(root, path);
  }

  async resolvePath(root: string, path: string): Promise<string> {
    return resolvePath(root, path);
  }

  async readArchive(root: string, path: string): ReturnType<RootFilesystems['readArchive']> {
    return readArchive(root, path);
  }

  writeArchive(
    root: string,
    path: string,
    stream: NodeJS.ReadableStream,
    options: { noOverwriteDirNonDir: boolean; owner?: string | undefined },
  ): Promise<void> {
    return writeArchive(root, path, stream, { ...options, limits: this.#limits });
  }

  async makeFolder(root: string, path: string): Promise<void> {
    try {
      closeSync(makeFolders(root, resolvePath(root, path)));
    } catch (error) {
      if (hasErrno(error, 'ENAMETOOLONG'))
        throw new NetyardError('invalid', `Cannot mkdir: ${path}: file name too long`, { cause: error });
      if (!hasErrno(error, 'ENOTDIR')) throw error;
      throw new NetyardError('failed', `Cannot mkdir: ${path} is not a directory`, { cause: error });
    }
  }

  async exportTree(root: string): Promise<NodeJS.ReadableStream> {
    return readTree(root, '/', '');
  }

  async copyTree(root: string, path: string, destination: string): Promise<void> {
    const stat = statInRoot(root, `${path}/.`);
    if (stat === undefined) return;
    await writeArchive(destination, '/', readTree(root, path, '.'), { noOverwriteDirNonDir: false, ownRoot: true });
  }
}
