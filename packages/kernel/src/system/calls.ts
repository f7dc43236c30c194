/**
 * libc calls that throw on failure: each takes plain values, checks the result and names the operation in its error.
 *
 * No decisions here; `netns`, `mounts`, `sockets` and `netlink` build on this file.
 */
import { close, constants } from 'node:fs';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

/** O_CLOEXEC has the same value on every architecture that Node runs on; fs.constants lacks it. */
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

const EINTR = errnoOf('EINTR');

/** Returns the result unless it is negative; -1 becomes a KernelError with errno. */
export function checked(result: number, operation: string, object: string): number {
  if (result < 0) throw kernelError(libc().errno(), operation, object);
  return result;
}

/** The same for calls that a signal may interrupt: repeated on EINTR. */
export function checkedRetrying(call: () => number, operation: string, object: string): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = libc().errno();
    if (errno !== EINTR) throw kernelError(errno, operation, object);
  }
}

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
const signalSetBytes = 128;

/**
 * Runs one synchronous step with all signals blocked: for libraries that treat an interrupted wait as a failure. A
 * signal that arrives meanwhile is delivered to another thread, or to this one afterwards. See pthread_sigmask(3).
 */
export function withoutSignals<T>(work: () => T): T {
  const former = new Uint8Array(signalSetBytes);
  const all = new Uint8Array(signalSetBytes).fill(0xff);
  checkedErrno(libc().pthread_sigmask(SIG_BLOCK, all, former));
  try {
    return work();
  } finally {
    checkedErrno(libc().pthread_sigmask(SIG_SETMASK, former, null));
  }
}

/** Signals are for the other threads from now on: for a thread that waits in a system call. */
export function blockSignals(): void {
  checkedErrno(libc().pthread_sigmask(SIG_BLOCK, new Uint8Array(signalSetBytes).fill(0xff), null));
}

function checkedErrno(errno: number): void {
  if (errno !== 0) throw kernelError(errno, 'pthread_sigmask', 'signals');
}

/** open(2) with O_CLOEXEC. */
export function openFile(path: string, flags: number = constants.O_RDONLY, mode = 0): number {
  return checkedRetrying(() => libc().open(path, flags | O_CLOEXEC, mode), 'open', path);
}

/** close(2). An invalid descriptor is a programming error and throws. */
export function closeFile(fd: number): void {
  checked(libc().close(fd), 'close', `fd ${fd}`);
}

/**
 * close(2) on a thread of the pool: for packet sockets and perf events, whose close waits for an RCU grace period (10 to
 * 50 ms). Nothing can be done about a failure.
 */
export function closeInBackground(fd: number): void {
  close(fd, () => undefined);
}
