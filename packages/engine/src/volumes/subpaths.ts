/**
 * Parts of volumes (`--mount volume-subpath=…`). The content of a volume belongs to containers, which may replace a
 * directory by a symbolic link to a directory of the host while the runtime resolves the path. So the part is opened by
 * openat2(2), which rejects links that lead out, and what was opened is mounted at a path of the engine's own, from where
 * the runtime mounts it. As in Docker, that mount is removed once the container has its own.
 */
import { closeSync, fstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, messageOf, NetyardError } from '@netyard/core';
import { bindMount, hasErrno, mount, mountFlag, O_PATH, openBeneath, unmount } from '@netyard/kernel';
import type { ContainerRecord, ResolvedMount } from '../model.ts';

interface Mounted {
  /** Those of parts have the path where the part is mounted as their source. */
  mounts: ResolvedMount[];
  release: () => void;
}

export class Subpaths {
  readonly #directory: string;
  readonly #logger: Logger;
  #next = 0;

  /** @param directory for nothing else */
  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Mounts the parts that a container uses until `release` is called. Volumes have to be mounted before. */
  mount({ mounts }: Pick<ContainerRecord, 'mounts'>): Mounted {
    const targets: string[] = [];
    const release = (): void => {
      for (const target of targets.splice(0)) this.#remove(target);
    };
    try {
      return { mounts: mounts.map((mount) => this.#mountPart(mount, targets)), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Removes what a killed daemon left. */
  removeAll(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#directory)) this.#remove(join(this.#directory, name));
  }

  #mountPart(each: ResolvedMount, targets: string[]): ResolvedMount {
    if (each.subpath === undefined) return each;
    const fd = openPart(each.source, each.subpath);
    try {
      this.#next += 1;
      const target = join(this.#directory, String(this.#next));
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      if (fstatSync(fd).isDirectory()) mkdirSync(target);
      else writeFileSync(target, '', { flag: 'wx' });
      targets.push(target);
      bindMount(`/proc/self/fd/${fd}`, target, { recursive: true });
      makePrivate(target);
      return { ...each, source: target };
    } finally {
      closeSync(fd);
    }
  }

  /** Never recursive: what is mounted there is a volume's. */
  #remove(target: string): void {
    try {
      unmountAll(target);
      if (statSync(target).isDirectory()) rmdirSync(target);
      else rmSync(target);
    } catch (error) {
      this.#logger.warn('unmounting a part of a volume failed', { path: target, error: messageOf(error) });
    }
  }
}

/**
 * On a host whose mounts are shared, as systemd makes them, the copy of a mount is its peer: unmounting what is mounted
 * below the copy would unmount it below the original as well.
 */
function makePrivate(target: string): void {
  mount({ target, flags: mountFlag.private | mountFlag.recursive });
}

function unmountAll(target: string): void {
  try {
    for (;;) {
      makePrivate(target); // a killed daemon may not have done it
      unmount(target, { lazy: true });
    }
  } catch (error) {
    if (!hasErrno(error, 'EINVAL')) throw error; // nothing is mounted there any more
  }
}

function openPart(volume: string, subpath: string): number {
  try {
    return openBeneath(volume, subpath, O_PATH);
  } catch (cause) {
    if (hasErrno(cause, 'EXDEV')) {
      const text = `path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`;
      throw new NetyardError('invalid', text, { cause });
    }
    const path = join(volume, subpath);
    const reason = hasErrno(cause, 'ENOENT') ? `lstat ${path}: no such file or directory` : messageOf(cause);
    throw new NetyardError('invalid', `cannot access path ${path}: ${reason}`, { cause });
  }
}
