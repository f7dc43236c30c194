/**
 * Where the root file system of a container is found. Its overlay is mounted in the host's mount table from the start of
 * the container until a moment later, when only the container's own mount namespace holds it (`detach`), and while the
 * files of a stopped container are visited. A running container is then visited through its namespace: a second overlay
 * of the same upper directory would be another file system, whose caches know nothing of the changes in the first one.
 */
import { closeSync, lstatSync, statSync } from 'node:fs';
import { KeyedQueue, type Logger } from '@netyard/core';
import { attachMount, copyMount, hasErrno, unmount, unmountAsync } from '@netyard/kernel';
import { holdProcess } from '../rootfs/container-process.ts';
import { atFd, isMountPoint } from '../rootfs/root-paths.ts';
import type { OverlayFolders } from './overlay-folders.ts';
import { mountWritable } from './overlay-mount.ts';

export interface VisitedRoot {
  path: string;
  /** Of a running container: the tree is attached nowhere, and the path leads to this descriptor. */
  tree?: number;
}

/** Visits that share a mount. */
interface Visits {
  count: number;
}

/** Trees of a running container that are being visited. */
interface Trees {
  visited: Set<number>;
  /** A copy of them that is not attached yet: the next run's mount. */
  unattached: number;
}

export class RootMounts {
  readonly #folders: OverlayFolders;
  readonly #lower: (layers: readonly string[]) => string[];
  readonly #logger: Logger;
  readonly #queue = new KeyedQueue();
  readonly #visits = new Map<string, Visits>();
  /** Containers whose mount stays after the last visit: `mount` made it, or an earlier daemon. */
  readonly #kept = new Set<string>();
  /** Main processes of running containers, by container. */
  readonly #processes = new Map<string, number>();
  readonly #trees = new Map<string, Trees>();

  /** @param lower the directories of layers, uppermost first */
  constructor(folders: OverlayFolders, lower: (layers: readonly string[]) => string[], logger: Logger) {
    this.#folders = folders;
    this.#lower = lower;
    this.#logger = logger;
  }

  mount(containerId: string, layers: readonly string[], isDisposable: boolean): Promise<string> {
    return this.#queue.run(containerId, () => {
      this.#processes.delete(containerId);
      const trees = this.#trees.get(containerId);
      if (!trees) this.#ensureMounted(containerId, layers, isDisposable);
      else if (!this.#isMounted(containerId)) this.#attach(containerId, trees);
      this.#kept.add(containerId); // of a visit's mount, too
      return this.#target(containerId);
    });
  }

  /** See `RootFilesystems.detach`. */
  detach(containerId: string, pid: number): Promise<void> {
    return this.#queue.run(containerId, async () => {
      const process = holdProcess(containerId, pid);
      if (!process) return;
      try {
        if (this.#isMounted(containerId) && !this.#isRootOf(containerId, process.root)) return;
      } finally {
        process.close();
      }
      this.#processes.set(containerId, pid);
      this.#kept.delete(containerId);
      if (this.#visits.has(containerId)) return; // the last one unmounts
      while (this.#isMounted(containerId)) await this.#detachMount(containerId);
    });
  }

  unmount(containerId: string): Promise<void> {
    return this.#queue.run(containerId, () => this.#end(containerId));
  }

  remove(containerId: string): Promise<void> {
    return this.#queue.run(containerId, async () => {
      await this.#end(containerId);
      await this.#folders.discard(this.#folders.container(containerId).home);
    });
  }

  async visit<T>(containerId: string, layers: readonly string[], work: (root: VisitedRoot) => Promise<T>): Promise<T> {
    const { root, leave } = await this.#queue.run(containerId, async () => {
      const opened = await this.#openRunning(containerId);
      if (opened) return opened;
      return { root: { path: this.#target(containerId) }, leave: this.#enter(containerId, layers) };
    });
    try {
      return await work(root);
    } finally {
      await leave();
    }
  }

  #target(containerId: string): string {
    return this.#folders.container(containerId).merged;
  }

  #isMounted(containerId: string): boolean {
    return isMountPoint(this.#target(containerId));
  }

  /** Whether both are the same file system; not so for a runtime that runs containers in virtual machines. */
  #isRootOf(containerId: string, root: string): boolean {
    try {
      return statSync(root).dev === lstatSync(this.#target(containerId)).dev;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ESRCH')) return false; // it has just ended
      throw error;
    }
  }

  /** The tree of a running container that is not mounted in the host's table. */
  async #openRunning(containerId: string): Promise<{ root: VisitedRoot; leave: () => void } | undefined> {
    const pid = this.#processes.get(containerId);
    if (pid === undefined || this.#isMounted(containerId)) return undefined;
    const process = holdProcess(containerId, pid);
    try {
      const tree = await process?.openTree();
      if (tree === undefined) return undefined;
      const trees = this.#trees.get(containerId) ?? { visited: new Set(), unattached: tree };
      trees.visited.add(tree);
      this.#trees.set(containerId, trees);
      return { root: { path: atFd(tree), tree }, leave: () => this.#closeTree(containerId, trees, tree) };
    } finally {
      process?.close();
    }
  }

  /** Mounts the file system of the run before, which is still visited. */
  #attach(containerId: string, trees: Trees): void {
    const target = this.#target(containerId);
    const former = trees.unattached;
    attachMount(former, target);
    trees.unattached = copyMount(target);
    if (!trees.visited.has(former)) closeSync(former);
  }

  #closeTree(containerId: string, trees: Trees, tree: number): void {
    trees.visited.delete(tree);
    if (tree !== trees.unattached) closeSync(tree);
    if (trees.visited.size > 0) return;
    closeSync(trees.unattached);
    if (this.#trees.get(containerId) === trees) this.#trees.delete(containerId);
  }

  /** Returns how to leave. */
  #enter(containerId: string, layers: readonly string[]): () => Promise<void> {
    const made = this.#ensureMounted(containerId, layers, false);
    const visits = this.#visits.get(containerId) ?? { count: 0 };
    if (!made && visits.count === 0) this.#kept.add(containerId);
    visits.count += 1;
    this.#visits.set(containerId, visits);
    return () => this.#queue.run(containerId, () => this.#leave(containerId, visits));
  }

  async #leave(containerId: string, visits: Visits): Promise<void> {
    visits.count -= 1;
    if (visits.count > 0 || this.#visits.get(containerId) !== visits) return;
    this.#visits.delete(containerId);
    if (!this.#kept.has(containerId)) await this.#ensureUnmounted(containerId);
  }

  /** Returns whether it was not mounted before. */
  #ensureMounted(containerId: string, layers: readonly string[], isDisposable: boolean): boolean {
    if (this.#isMounted(containerId)) return false;
    const { upper, work, merged } = this.#folders.container(containerId);
    mountWritable({ target: merged, upper, work, lower: this.#lower(layers) }, isDisposable);
    return true;
  }

  async #end(containerId: string): Promise<void> {
    this.#visits.delete(containerId);
    this.#kept.delete(containerId);
    this.#processes.delete(containerId);
    await this.#ensureUnmounted(containerId);
  }

  async #detachMount(containerId: string): Promise<void> {
    const target = this.#target(containerId);
    if (!(await unmountAsync(target, { lazy: true }))) unmount(target, { lazy: true });
  }

  async #ensureUnmounted(containerId: string): Promise<void> {
    const target = this.#target(containerId);
    if (this.#isMounted(containerId)) await unmountAsync(target);
    while (this.#isMounted(containerId)) {
      try {
        unmount(target);
      } catch (error) {
        if (!hasErrno(error, 'EBUSY')) throw error;
        this.#logger.warn('a root file system is still in use: detached', { containerId });
        unmount(target, { lazy: true });
      }
    }
  }
}
