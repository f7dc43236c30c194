/**
 * Network namespaces: create, pin under a path, list, enter for one synchronous step, delete.
 *
 * They are the same bind mounts that ip-netns(8) creates, so `ip netns` and this file interoperate. setns(2) and
 * unshare(2) change the calling thread only. Each function returns the thread to its own namespace before control goes
 * back to the event loop, so no other code of the process ever runs in another namespace.
 */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { checked, closeFile, openFile } from './calls.ts';
import { hasErrno, kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';
import { bindMount, unmount } from './mounts.ts';
import { makeSharedMountPoint } from './shared-mount-point.ts';

export const netnsDirectory = '/run/netns';

const CLONE_NEWNET = 0x40000000;
const NSFS_MAGIC = 0x6e736673;
/** The calling thread's namespace: /proc/self is always the main thread's, also inside a Worker. */
const ownNetns = '/proc/thread-self/ns/net';

/** Rejects names that cannot be a file name: empty, `.`, `..`, with `/` or NUL, longer than 255 bytes. */
export function checkNetnsName(name: string): void {
  const bad = name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || Buffer.byteLength(name) > 255;
  if (bad) throw new NetyardError('invalid', `Invalid netns name ${JSON.stringify(name)}`);
}

/** The path at which `ip netns add NAME` pins a namespace. Throws `invalid`. */
export function netnsPath(name: string, directory: string = netnsDirectory): string {
  checkNetnsName(name);
  return join(directory, name);
}

/** Descriptors of a namespace, pinned at `path`, and of the calling thread's own. */
export interface OpenedNetns {
  fd: number;
  path: string;
  own: number;
}

/**
 * Runs `work` with the thread in the namespace of `fd`, then returns the thread to its own namespace, also on failure.
 * For callers that enter a namespace several times; others use `openInNetns`.
 */
export function runInNetns<T>({ fd, path, own }: OpenedNetns, work: () => T): T {
  checked(libc().setns(fd, CLONE_NEWNET), 'nsenter', `--net=${path}`);
  try {
    return refusePromise(work());
  } finally {
    returnTo(own);
  }
}

/** The calling thread's namespace. The caller closes the descriptor. */
export const openOwnNamespace = (): number => openFile(ownNetns);

/**
 * Returns to the own namespace. Continuing in another one would send packets and rules to the wrong place, so it aborts
 * when it cannot return.
 */
function returnTo(own: number): void {
  if (libc().setns(own, CLONE_NEWNET) === 0) return;
  process.stderr.write("netyard: cannot return to the process's own network namespace\n");
  process.abort();
}

function refusePromise<T>(result: T): T {
  if (result instanceof Promise) throw new TypeError('work inside a network namespace must be synchronous');
  return result;
}

/**
 * Opens a pin, or `/proc/PID/ns/net`. Never waits: users name pins in their own directories, and can put a FIFO in the place
 * of one that was there a moment ago. The caller closes the descriptor.
 */
export const openNamespace = (path: string): number => openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);

/** Runs `work` as `openInNetns` does. */
export type EnterNetns = <T>(path: string | undefined, work: () => T) => T;

/**
 * Runs `work` synchronously inside the namespace pinned at `path` (or `/proc/PID/ns/net`) and returns its result:
 * usually the descriptor of a socket, which stays in that namespace and is used from outside. Without a path it runs in
 * the current namespace. Equivalent to: `nsenter --net=PATH …`.
 */
export function openInNetns<T>(path: string | undefined, work: () => T): T {
  if (path === undefined) return refusePromise(work());
  const fd = openNamespace(path);
  try {
    const own = openOwnNamespace();
    try {
      return runInNetns({ fd, path, own }, work);
    } finally {
      closeFile(own);
    }
  } finally {
    closeFile(fd);
  }
}

/**
 * Creates a namespace and pins it at `path`; its `lo` is down. Equivalent to: `ip netns add NAME`. Throws KernelError
 * EEXIST when the path exists.
 */
export function createNetns(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (folder === netnsDirectory) makeSharedMountPoint(folder); // as ip netns does
  createPin(path);
  try {
    pinNewNamespace(path);
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

function createPin(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL, 0));
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw kernelError(17, 'ip netns add', path, 'File exists');
    throw error;
  }
  chmodSync(path, 0);
}

const pinNewNamespace = (path: string): void => openInNewNetns(() => bindMount(ownNetns, path), path);

/**
 * Runs `work` synchronously inside a new namespace. The namespace ends afterwards unless `work` pins it, or opens a
 * socket in it that stays open. Equivalent to: `unshare --net …`.
 */
export function openInNewNetns<T>(work: () => T, path = 'without a name'): T {
  const own = openOwnNamespace();
  try {
    checked(libc().unshare(CLONE_NEWNET), 'ip netns add', path);
    try {
      return refusePromise(work());
    } finally {
      returnTo(own);
    }
  } finally {
    closeFile(own);
  }
}

/**
 * Unpins the namespace; it ends with its last process or socket. Equivalent to: `ip netns delete NAME`. Throws ENOENT.
 * What others mounted over the pin is unmounted, too: the file could not be deleted, and the namespace would stay pinned.
 */
export function deleteNetns(path: string): void {
  let isMounted = true;
  while (isMounted) isMounted = unmountPin(path);
  unlinkSync(path);
}

/** @returns false if nothing is mounted there, as on a stale file */
function unmountPin(path: string): boolean {
  try {
    unmount(path, { lazy: true });
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL')) return false;
    throw error;
  }
}

/** Whether a namespace is pinned at `path`, as opposed to a stale file left by a crash. */
export function netnsExists(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Device and inode number: distinguishes namespaces that were pinned under the same path one after the other. */
export function netnsIdentity(path: string = ownNetns): string {
  const stat = statSync(path, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}

export interface PinnedNetns {
  name: string;
  path: string;
}

/**
 * The namespaces pinned in a directory, sorted by name, including those of other programs. Equivalent to: `ip netns
 * list`.
 */
export function listNetns(directory: string = netnsDirectory): PinnedNetns[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => ({ name, path: join(directory, name) }))
    .filter((pinned) => netnsExists(pinned.path));
}
