/**
 * Network namespaces: made, pinned under a path, listed, entered for one synchronous step, deleted.
 *
 * They are the same bind mounts that ip-netns(8) makes, so `ip netns` and this file work on each other's. setns(2)
 * and unshare(2) change the calling thread only; everything here returns the thread to where it was before it gives
 * control back to the event loop, so no other work of the process ever sees a foreign namespace.
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
import { bindMount, makeSharedMountPoint, unmount } from './mounts.ts';

export const netnsDirectory = '/run/netns';

const CLONE_NEWNET = 0x40000000;
const NSFS_MAGIC = 0x6e736673;
/** Of the calling thread: /proc/self would be the main thread's, also inside a Worker. */
const ownNetns = '/proc/thread-self/ns/net';

/** Checks a name that becomes a file: refuses the empty one, `.`, `..`, `/`, NUL and over 255 bytes. */
export function checkNetnsName(name: string): void {
  const bad = name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || Buffer.byteLength(name) > 255;
  if (bad) throw new NetyardError('invalid', `Invalid netns name ${JSON.stringify(name)}`);
}

/** Where `ip netns add NAME` pins a namespace. Throws `invalid`. */
export function netnsPath(name: string, directory: string = netnsDirectory): string {
  checkNetnsName(name);
  return join(directory, name);
}

/** Runs `work` with the thread in the namespace of `fd` and returns it to its own, whatever happens. */
function runInside<T>(fd: number, path: string, work: () => T): T {
  const own = openFile(ownNetns);
  try {
    checked(libc().setns(fd, CLONE_NEWNET), 'nsenter', `--net=${path}`);
    try {
      return refusePromise(work());
    } finally {
      returnTo(own);
    }
  } finally {
    closeFile(own);
  }
}

/** Back home. To go on in a foreign namespace would send packets and rules to the wrong place: better no process. */
function returnTo(own: number): void {
  if (libc().setns(own, CLONE_NEWNET) === 0) return;
  process.stderr.write('netyard: cannot return to the own network namespace\n');
  process.abort();
}

function refusePromise<T>(result: T): T {
  if (result instanceof Promise) throw new TypeError('work inside a network namespace must be synchronous');
  return result;
}

/**
 * Runs `work` inside the namespace pinned at `path` (or `/proc/PID/ns/net`), synchronously, and gives back what it
 * returns: usually the descriptor of a socket, which belongs to that namespace for good and is used from outside.
 * Without a path it runs where it is. EquivalentCommand: `nsenter --net=PATH …`.
 */
export function openInNetns<T>(path: string | undefined, work: () => T): T {
  if (path === undefined) return refusePromise(work());
  const fd = openFile(path);
  try {
    return runInside(fd, path, work);
  } finally {
    closeFile(fd);
  }
}

/**
 * Makes a new namespace and pins it at `path`. Its `lo` is down, as after `ip netns add NAME`, which is the twin.
 * Throws KernelError EEXIST when the path is there.
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
 * Runs `work` inside a new namespace, synchronously. It ends at once unless `work` pins it, or opens a socket in it
 * that stays open. EquivalentCommand: `unshare --net …`.
 */
export function openInNewNetns<T>(work: () => T, path = 'without a name'): T {
  const own = openFile(ownNetns);
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

/** Unpins the namespace; it ends with its last process or socket. EquivalentCommand: `ip netns delete NAME`. Throws ENOENT. */
export function deleteNetns(path: string): void {
  try {
    unmount(path, { lazy: true });
  } catch (error) {
    if (!hasErrno(error, 'EINVAL')) throw error; // a left-over file with nothing mounted on it
  }
  unlinkSync(path);
}

/** Whether a namespace is pinned at `path`: not just a file that a crash left. */
export function netnsExists(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Tells one namespace from another that was pinned under the same path later. */
export function netnsIdentity(path: string = ownNetns): string {
  const stat = statSync(path, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}

export interface PinnedNetns {
  name: string;
  path: string;
}

/** The namespaces pinned in a folder, sorted by name, whoever made them. EquivalentCommand: `ip netns list`. */
export function listNetns(directory: string = netnsDirectory): PinnedNetns[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => ({ name, path: join(directory, name) }))
    .filter((pinned) => netnsExists(pinned.path));
}
