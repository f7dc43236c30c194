/**
 * The names that an archive brought into a folder of a container, so that they can be removed again. Of a folder that
 * the archive made only the folder's own name is kept: everything below it goes with it.
 */
import { closeSync } from 'node:fs';
import { TimeSlice } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { lstatName, openFolder, removeName, splitPath, withFd } from '../rootfs/root-paths.ts';

export class WrittenNames {
  readonly #root: string;
  readonly #names = new Set<string>();
  readonly #folders = new Set<string>();
  /** Folders that were there before: looked up once. */
  readonly #present = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Call it before a name is made: notes the uppermost part of its path that is not there yet. */
  note(path: string, isFolder: boolean): void {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    let parent = '';
    for (const [index, part] of parts.entries()) {
      const place = `${parent}/${part}`;
      const isLast = index === parts.length - 1;
      if (this.#folders.has(place)) return;
      if (!this.#present.has(place)) {
        if (!this.#exists(parent === '' ? '/' : parent, part)) {
          this.#names.add(place);
          if (!isLast || isFolder) this.#folders.add(place);
          return;
        }
        if (!isLast) this.#present.add(place);
      }
      parent = place;
    }
  }

  #exists(parent: string, name: string): boolean {
    return withFd(openFolder(this.#root, parent), (folder) => lstatName(folder, name) !== undefined);
  }

  /** Removes them all. What the container moved elsewhere meanwhile stays. */
  async remove(): Promise<void> {
    const turn = new TimeSlice();
    for (const place of this.#names) {
      if (turn.isOver) await turn.next();
      const { parent, name } = splitPath(place);
      try {
        const folder = openFolder(this.#root, parent);
        try {
          await removeName(folder, name, turn);
        } finally {
          closeSync(folder);
        }
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    }
  }
}
