/**
 * The names that an archive created in a directory of a container, so that they can be removed again. For a directory
 * created by the archive only its own name is recorded: everything below it is removed with it.
 */
import { closeSync } from 'node:fs';
import { TimeSlice } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { lstatName, openFolder, removeName, splitPath, withFd } from '../rootfs/root-paths.ts';

export class WrittenNames {
  readonly #root: number;
  readonly #names = new Set<string>();
  readonly #folders = new Set<string>();
  /** Directories that existed before: looked up once. */
  readonly #present = new Set<string>();

  /** @param root a descriptor */
  constructor(root: number) {
    this.#root = root;
  }

  /** Call this before a name is created: records the topmost part of its path that does not exist yet. */
  note(path: string, isFolder: boolean): void {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    let parent = '';
    for (const [index, part] of parts.entries()) {
      const prefix = `${parent}/${part}`;
      const isLast = index === parts.length - 1;
      if (this.#folders.has(prefix)) return;
      if (!this.#present.has(prefix)) {
        if (!this.#exists(parent === '' ? '/' : parent, part)) {
          this.#names.add(prefix);
          if (!isLast || isFolder) this.#folders.add(prefix);
          return;
        }
        if (!isLast) this.#present.add(prefix);
      }
      parent = prefix;
    }
  }

  #exists(parent: string, name: string): boolean {
    return withFd(openFolder(this.#root, parent), (folder) => lstatName(folder, name) !== undefined);
  }

  /** Removes them all. What the container moved elsewhere meanwhile is kept. */
  async remove(): Promise<void> {
    const slice = new TimeSlice();
    for (const prefix of this.#names) {
      if (slice.isOver) await slice.next();
      const { parent, name } = splitPath(prefix);
      try {
        const folder = openFolder(this.#root, parent);
        try {
          await removeName(folder, name, slice);
        } finally {
          closeSync(folder);
        }
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    }
  }
}
