/** The thread of mount-tree.ts: enters a mount namespace for one synchronous step. */
import { constants } from 'node:fs';
import { KernelError, serveJobs } from '@netyard/core';
import { checked, closeFile, O_PATH, openFile } from './calls.ts';
import { libc } from './ffi/libc.ts';
import { copyMount, type RootAnswer, type RootRequest } from './mount-tree.ts';

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;

function copyRoot(namespace: number): number {
  const own = openFile('/proc/thread-self/ns/mnt');
  try {
    const root = openFile('/', O_PATH | constants.O_DIRECTORY);
    try {
      checked(libc().unshare(CLONE_FS), 'unshare', 'root and working directory of a thread');
      checked(libc().setns(namespace, CLONE_NEWNS), 'nsenter', '--mount');
      try {
        return copyMount('/');
      } finally {
        goBack(own, root);
      }
    } finally {
      closeFile(root);
    }
  } finally {
    closeFile(own);
  }
}

/**
 * setns(2) makes the namespace's root the thread's, which differs for a daemon in a chroot. Aborts where it would go on to
 * load programs from a container.
 */
function goBack(own: number, root: number): void {
  const { setns, fchdir, chroot } = libc();
  if (setns(own, CLONE_NEWNS) === 0 && fchdir(root) === 0 && chroot('.') === 0) return;
  process.stderr.write("netyard: cannot return to the process's own mount namespace\n");
  process.abort();
}

function answer(namespace: number): RootAnswer {
  try {
    return { fd: copyRoot(namespace) };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { errno: error.errno };
  }
}

serveJobs<RootRequest, RootAnswer>((send) => (namespace) => send(answer(namespace)));
