/**
 * libc calls that throw: each takes plain values, checks the result and names what it was doing.
 *
 * No decisions here; one level below `netns`, `mounts`, `sockets` and `netlink`.
 */
import { constants } from 'node:fs';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

/** O_CLOEXEC has the same value on every architecture that Node runs on; fs.constants lacks it. */
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

const EINTR = errnoOf('EINTR');

/** Passes on a result that is no failure; -1 becomes a KernelError. */
export function checked(result: number, operation: string, object: string): number {
  if (result < 0) throw kernelError(libc().errno(), operation, object);
  return result;
}

/** The same for calls that a signal may interrupt: tried again on EINTR. */
export function checkedRetrying(call: () => number, operation: string, object: string): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = libc().errno();
    if (errno !== EINTR) throw kernelError(errno, operation, object);
  }
}

/** open(2) with O_CLOEXEC. */
export function openFile(path: string, flags: number = constants.O_RDONLY, mode = 0): number {
  return checkedRetrying(() => libc().open(path, flags | O_CLOEXEC, mode), 'open', path);
}

/** close(2). A wrong descriptor is a programming error and throws. */
export function closeFile(fd: number): void {
  checked(libc().close(fd), 'close', `fd ${fd}`);
}
