/**
 * The root mount of another mount namespace, without what is mounted in it: a copy that is attached nowhere and ends with
 * its descriptor. open_tree(2) copies mounts of the calling thread's namespace only, and setns(2) needs a thread that
 * shares its root and working directory with no other, so it runs on a thread of its own.
 */
import { extname } from 'node:path';
import { ThreadPool } from '@netyard/core';
import { checked } from './calls.ts';
import { kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

/** The same on every architecture. */
const SYS_open_tree = 428;
const SYS_move_mount = 429;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;

/** The descriptor of a mount namespace, which the thread uses as well. */
export type RootRequest = number;
export type RootAnswer = { fd: number } | { errno: number };

export class NamespaceRoots {
  readonly #threads = new ThreadPool<RootRequest, RootAnswer>({
    // Packed outside of this repository, both files are JavaScript.
    entry: new URL(`./mount-tree-thread${extname(import.meta.url)}`, import.meta.url),
    purpose: 'opens root file systems',
    mostThreads: 1,
  });

  /**
   * The caller closes the descriptor. Equivalent to: `nsenter --mount=NAMESPACE mount --bind / TARGET`. Throws KernelError
   * EPERM, EINVAL.
   *
   * @param namespace its descriptor, of `/proc/PID/ns/mnt`; may be closed afterwards
   */
  async open(namespace: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<RootAnswer>();
    const job = this.#threads.open({ onMessage: resolve, onFailure: reject });
    job.post(namespace);
    const answer = await promise.finally(() => job.close());
    if ('errno' in answer) throw kernelError(answer.errno, 'open_tree', 'the root of a mount namespace');
    return answer.fd;
  }
}

/**
 * A copy of the mount at a path, without what is mounted in it unless `recursive`, that is attached nowhere. The caller
 * closes it.
 */
export function copyMount(path: string, options: { recursive?: boolean } = {}): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (options.recursive ? AT_RECURSIVE : 0);
  return checked(libc().syscallOpenTree(SYS_open_tree, AT_FDCWD, path, flags), 'open_tree', path);
}

/** Attaches a mount that is attached nowhere, such as one of `NamespaceRoots`; once only. move_mount(2) */
export function attachMount(fd: number, target: string): void {
  const result = libc().syscallMoveMount(SYS_move_mount, fd, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
  checked(result, 'move_mount', target);
}
