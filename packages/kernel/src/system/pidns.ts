/**
 * PID namespaces: starts a child inside one.
 *
 * setns(2) with a PID namespace changes the namespace of the calling thread's future children, not of the thread. As
 * with network namespaces (`netns.ts`), the thread is restored before control returns to the event loop.
 */

import { checked, closeFile, openFile } from './calls.ts';
import { libc } from './ffi/libc.ts';

const CLONE_NEWPID = 0x20000000;

/**
 * Runs `work`, which must only start a process (`child_process.spawn`), so that the process is created in the PID
 * namespace of `pid`. The process is a child of this one, which therefore receives its signals and exit code without a
 * forking nsenter(1) in between. Equivalent to: `nsenter --target PID --pid …`. Throws KernelError ENOENT, EPERM,
 * EINVAL.
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
      checked(libc().setns(own, CLONE_NEWPID), 'nsenter', "back to the process's own PID namespace");
    }
  } finally {
    closeFile(own);
  }
}
