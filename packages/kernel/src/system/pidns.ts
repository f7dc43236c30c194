/**
 * Process namespaces: to start a child inside one.
 *
 * setns(2) with a process namespace changes where the calling thread's next children live, not the thread. As with
 * network namespaces (`netns.ts`), the thread is back where it was before the event loop goes on.
 */

import { checked, closeFile, openFile } from './calls.ts';
import { libc } from './ffi/libc.ts';

const CLONE_NEWPID = 0x20000000;

/**
 * Runs `work`, which starts a process (`child_process.spawn`) and nothing else, so that the process is born in the
 * process namespace of `pid`. It stays a child of this one, whose signals and exit code are seen without a forking
 * nsenter(1) between the two. EquivalentCommand: `nsenter --target PID --pid …`. Throws KernelError ENOENT, EPERM, EINVAL.
 */
export function spawnInPidNamespace<T>(pid: number, work: () => T): T {
  const own = openFile('/proc/thread-self/ns/pid');
  try {
    const target = openFile(`/proc/${pid}/ns/pid`);
    try {
      checked(libc().setns(target, CLONE_NEWPID), 'nsenter', `--target ${pid} --pid`);
    } finally {
      closeFile(target);
    }
    try {
      return work();
    } finally {
      checked(libc().setns(own, CLONE_NEWPID), 'nsenter', 'back to the own process namespace');
    }
  } finally {
    closeFile(own);
  }
}
