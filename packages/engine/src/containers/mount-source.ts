/** Creates the missing source directory of `-v /missing:/x`, as Docker does; what the kernel can do with mounts. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { messageOf, NetyardError } from '@netyard/core';
import type { ResolvedMount } from '../model.ts';

/** Throws `failed` with Docker's message. */
export function createMountSource(path: string): void {
  try {
    makeDirectories(path, 0o755);
  } catch (cause) {
    const text = `error while creating mount source path '${path}': ${messageOf(cause)}`;
    throw new NetyardError('failed', text, { cause });
  }
}

/**
 * Node's own `recursive` never returns when mkdir(2) reports ENOENT although the parent exists, as in /proc: it would
 * stop the daemon.
 */
function makeDirectories(path: string, mode: number): void {
  const missing: string[] = [];
  for (let folder = path; !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.toReversed()) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      if (!existsSync(folder)) throw error; // not created by another process meanwhile
    }
  }
}

/** mount_setattr(2) is in Linux since 5.12. */
export function supportsRecursiveReadOnly(kernel: string = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 12);
}

/** Nothing is mounted below a file, and crun takes the source of a recursive read-only mount for a folder. */
export function isRecursiveReadOnly({ type, source, subpath, options }: ResolvedMount): boolean {
  if (!supportsRecursiveReadOnly() || options.length > 0) return false;
  return (
    (type === 'volume' && subpath === undefined) || statSync(source, { throwIfNoEntry: false })?.isDirectory() === true
  );
}
