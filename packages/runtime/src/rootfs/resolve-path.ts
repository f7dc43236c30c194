/**
 * Resolves a path inside a container's root through its symbolic links, including dangling ones, which openat2 only
 * rejects: Docker creates a mount point or a working directory where such a link leads.
 */
import { readlinkSync } from 'node:fs';
import { NetyardError, textOf } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { inFd, lstatName, openFolder, splitPath, withFd } from './root-paths.ts';

const mostLinks = 255; // as in Docker's FollowSymlinkInScope
const pathMax = 4096; // PATH_MAX (linux/limits.h), with the terminating NUL
/** Each lookup is a system call on the main thread, and an image's links can multiply the names of a path. */
const mostLookups = 1000;

/** A directory of the container, by its resolved path, and where its content is on the host. */
export interface MountedDirectory {
  target: string;
  /** Undefined when it hides what is below and has no links of its own, as a new tmpfs. */
  source: string | undefined;
}

/** Resolved in a single directory; see `resolveTarget`. */
export const resolvePath = (root: string, path: string): string => resolveTarget([{ target: '/', source: root }], path);

/**
 * Returns the path without links, `.` and `..`; a missing path resolves to itself. Throws `invalid` for a loop and for a
 * path that is too long.
 * @param directories the last mounted first; the root is the last one
 */
export function resolveTarget(directories: readonly MountedDirectory[], target: string): string {
  if (Buffer.byteLength(target) >= pathMax)
    throw new NetyardError('invalid', `mount destination ${target.slice(0, 80)}…: file name too long`);
  const left = target.split('/');
  let resolved: string[] = [];
  let links = 0;
  let lookups = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      continue;
    }
    lookups += 1;
    if (lookups > mostLookups) throw new NetyardError('invalid', `mount destination ${target}: too many names`);
    const link = readLink(directories, `/${[...resolved, part].join('/')}`);
    if (link === undefined) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > mostLinks) throw new NetyardError('invalid', `mount destination ${target}: too many symbolic links`);
    if (link.startsWith('/')) resolved = [];
    left.unshift(...link.split('/'));
  }
  return `/${resolved.join('/')}`;
}

/** The target of a symbolic link; undefined for anything else. `path` has no link before its last name. */
function readLink(directories: readonly MountedDirectory[], path: string): string | undefined {
  const directory = directories.find(({ target }) => target === '/' || path.startsWith(`${target}/`));
  if (directory?.source === undefined) return undefined;
  const { parent, name } = splitPath(path.slice(directory.target === '/' ? 0 : directory.target.length));
  try {
    // The parent is opened inside the source: another container may replace it by a link meanwhile.
    return withFd(openFolder(directory.source, parent), (folder) =>
      lstatName(folder, name)?.isSymbolicLink() ? textOf(readlinkSync(inFd(folder, name), 'buffer')) : undefined,
    );
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EINVAL', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
