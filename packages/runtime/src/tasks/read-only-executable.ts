/**
 * The OCI runtime's program as seen through a read-only mount of its own. A process that enters a container can be
 * made to show the container its own program, and a runtime on a writable mount guards itself against being overwritten
 * there (CVE-2019-5736) by copying itself at every call. What is mounted read-only cannot be written from anywhere in
 * the container, also by its root, and crun leaves the copy out when it is told so by `clonedEnvironment`.
 *
 * Outlives the daemon with the containers, whose shims call the program there.
 */
import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Logger, messageOf } from '@netyard/core';
import { bindMount, unmount } from '@netyard/kernel';
import type { OciRuntimes } from './runtimes.ts';

/** crun 1.8 looks for it, and then whether its own file is on a read-only mount; src/libcrun/cloned_binary.c. */
const clonedEnvironment = { _LIBCONTAINER_CLONED_BINARY: '1' };

export interface GuardedRuntimes {
  runtimes: OciRuntimes;
  /** For whoever calls them. */
  env: Record<string, string>;
  /** When no container is left that needs it. */
  remove(): void;
}

/** The same runtimes, crun by way of a mount in the folder `mounts`. As they are where that fails, which is logged. */
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

/** Mounts `program` at the file `target`, once. One that was replaced meanwhile (an upgrade) is mounted anew. */
export function ensureReadOnlyProgram(program: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o711 });
  closeSync(openSync(target, existsSync(target) ? 'r' : 'wx', 0o600));
  if (isSameFile(program, target)) return;
  removeMounts(target);
  bindMount(program, target, { readOnly: true });
}

/** Fine when there is none. What still runs of it goes on. */
export function removeReadOnlyProgram(target: string): void {
  if (existsSync(target)) removeMounts(target);
}

function removeMounts(target: string): void {
  while (isMounted(target)) unmount(target, { lazy: true });
}

/** A file that is mounted over another one is on another device, or another file of the same. */
function isMounted(target: string): boolean {
  const below = statSync(dirname(target));
  const file = statSync(target);
  return file.dev !== below.dev || file.size > 0;
}

function isSameFile(one: string, other: string): boolean {
  const [first, second] = [statSync(one), statSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}
