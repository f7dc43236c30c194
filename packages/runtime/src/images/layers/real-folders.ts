/**
 * The directories of a layer that is being unpacked into a private directory. A name in an archive may lead through links
 * of the same archive: they are followed inside the layer only (openat2, RESOLVE_IN_ROOT). Resolved directories are
 * remembered, as only this layer's entries change them.
 */
import { closeSync, lstatSync, mkdirSync, readlinkSync, realpathSync } from 'node:fs';
import { fsPath, NetyardError, textOf } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { atFd, openFolder, splitPath } from '../../rootfs/root-paths.ts';

/** PATH_MAX of linux/limits.h, without the part before the layer. */
const longestPath = 4096 - 256;
/** As the kernel follows at most. */
const mostLinks = 40;

export class RealFolders {
  readonly #root: string;
  #known = new Set(['']);
  /** Directories that no entry has described so far: a lower layer may have them. */
  readonly undescribed = new Set<string>();

  /** @param root the directory that stands for `/` */
  constructor(root: string) {
    this.#root = realpathSync(root);
  }

  /** The path on the host of a path whose parent directory is real. */
  hostPath(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  /**
   * The path without links of a directory, which is created if it is missing. Throws `invalid`.
   * @param path normalized and relative; '' for the top
   */
  resolve(path: string, depth = 0): string {
    if (this.#known.has(path)) return path;
    if (path.length > longestPath) throw new NetyardError('invalid', `invalid layer: the path ${path} is too long`);
    const { parent, name } = splitMember(path);
    const real = joinMember(this.resolve(parent, depth), name);
    if (this.#known.has(real)) return real;
    const stat = lstatSync(fsPath(this.hostPath(real)), { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) return this.#follow(real, depth);
    if (stat === undefined) {
      mkdirSync(fsPath(this.hostPath(real)), { mode: 0o755 });
      this.undescribed.add(real);
    } else if (!stat.isDirectory()) {
      throw new NetyardError('invalid', `invalid layer: "${path}" is not a directory`);
    }
    this.#known.add(real);
    return real;
  }

  #follow(link: string, depth: number): string {
    try {
      return this.#realPath(link);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
      if (hasErrno(error, 'ENOENT') && depth < mostLinks) return this.resolve(this.#targetOf(link), depth + 1);
      throw new NetyardError('invalid', `invalid layer: "${link}" is not a directory`, { cause: error });
    }
  }

  #realPath(link: string): string {
    const fd = openFolder(this.#root, `/${link}`);
    try {
      const real = textOf(readlinkSync(atFd(fd), 'buffer')).slice(this.#root.length + 1);
      this.#known.add(real);
      return real;
    } finally {
      closeSync(fd);
    }
  }

  /** Where a link leads to which nothing exists yet. */
  #targetOf(link: string): string {
    const target = textOf(readlinkSync(fsPath(this.hostPath(link)), 'buffer'));
    const { parent, name } = splitPath(target.startsWith('/') ? target : `/${splitMember(link).parent}/${target}`);
    return joinMember(parent.slice(1), name);
  }

  /** Call this when a name was removed that may have been a directory. */
  forget(): void {
    this.#known = new Set(['']);
  }
}

/** Pure. */
export function splitMember(path: string): { parent: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}

/** Pure. */
export const joinMember = (parent: string, name: string): string => (parent === '' ? name : `${parent}/${name}`);
