/**
 * Provides the OCI runtime's program on a read-only mount of its own. A process that enters a container can be made to
 * expose its own program to the container, so a runtime on a writable mount copies itself at every call to prevent
 * overwriting (CVE-2019-5736). A read-only mount cannot be written from anywhere in the container, even by its root,
 * and crun omits the copy when `clonedEnvironment` is set.
 *
 * Outlives the daemon with the containers, whose shims run the program there.
 */
import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Logger, messageOf } from '@netyard/core';
import { bindMount, unmount } from '@netyard/kernel';
import type { OciRuntimes } from './runtimes.ts';

/**
 * crun 1.8 checks this variable, and then whether its own file is on a read-only mount; src/libcrun/cloned_binary.c.
 */
const clonedEnvironment = { _LIBCONTAINER_CLONED_BINARY: '1' };

export interface GuardedRuntimes {
  runtimes: OciRuntimes;
  /** Environment for calling them. */
  env: Record<string, string>;
  /** Call this when no container is left that needs it. */
  remove(): void;
}

/**
 * The same runtimes, with crun on a mount in the directory `mounts`. If that fails, they are unchanged and the failure
 * is logged.
 */
export function guardCrun(runtimes: OciRuntimes, mounts: string, logger: Logger): GuardedRuntimes {
  const crun = runtimes.available.get('crun');
  const unguarded = { runtimes, env: {}, remove: () => undefined };
  if (!crun) return unguarded;
  const program = join(mounts, 'crun');
  try {
    ensureReadOnlyProgram(crun.path, program);
  } catch (error) {
    logger.warn('crun is not mounted read-only and copies itself at every call', { error: messageOf(error) });
    return unguarded;
  }
  const guarded = { ...crun, program };
  const available = new Map([...runtimes.available, ['crun', guarded] as const]);
  return {
    runtimes: { available, default: runtimes.default === crun ? guarded : runtimes.default },
    env: clonedEnvironment,
    remove: () => removeReadOnlyProgram(program),
  };
}

/** Mounts `program` at the file `target`, once. A program that was replaced meanwhile (an upgrade) is mounted again. */
export function ensureReadOnlyProgram(program: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o711 });
  closeSync(openSync(target, existsSync(target) ? 'r' : 'wx', 0o600));
  if (isSameFile(program, target)) return;
  removeMounts(target);
  bindMount(program, target, { readOnly: true });
}

/** No error when it is not mounted. Running processes of it continue. */
export function removeReadOnlyProgram(target: string): void {
  if (existsSync(target)) removeMounts(target);
}

function removeMounts(target: string): void {
  while (isMounted(target)) unmount(target, { lazy: true });
}

/** A file mounted over another one is on another device, or another file of the same. */
function isMounted(target: string): boolean {
  const below = statSync(dirname(target));
  const file = statSync(target);
  return file.dev !== below.dev || file.size > 0;
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [statSync(one), statSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}
