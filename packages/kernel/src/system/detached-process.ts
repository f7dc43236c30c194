/**
 * Starts programs that outlive this process with posix_spawn(3) instead of fork: libuv forks, and a fork of a process
 * of some hundred MiB copies its page tables and then each page it writes; here the child shares the parent's memory
 * until it executes its own program. Measured in a daemon on a busy machine: 50 ms against 3 ms of CPU time.
 *
 * Node does not know these children: the caller must poll `hasEnded`, or the child stays a zombie while this process
 * lives.
 */
import { constants } from 'node:fs';
import { checked, closeFile } from './calls.ts';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { type Libc, libc } from './ffi/libc.ts';

export interface DetachedProcess {
  /** Absolute path. */
  program: string;
  /** Arguments without argv[0]. */
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Absolute path of the working directory. */
  folder: string;
  /** Descriptors that become 3, 4, … of the child. Its 0, 1 and 2 are /dev/null; it inherits no other. */
  inherited: readonly number[];
}

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const WNOHANG = 1;
const F_DUPFD_CLOEXEC = 1030;
const CLOSE_RANGE_CLOEXEC = 4;
const lastDescriptor = 0xffffffff;
const firstInherited = 3;
/** Larger than glibc's posix_spawn_file_actions_t (80 bytes) and posix_spawnattr_t (336) on any 64-bit machine. */
const opaqueBytes = 512;
const signalSetBytes = 128;

/**
 * Starts the program in a new session, with no signal blocked or ignored; returns its pid. Equivalent to: `cd FOLDER &&
 * setsid --fork PROGRAM … 3<&FD 4<&FD`.
 */
export function spawnDetached(process: DetachedProcess): number {
  const c = libc();
  const succeeded = (errno: number): void => {
    if (errno !== 0) throw kernelError(errno, 'start', process.program);
  };
  const inherited = movedAbove(c, process.inherited);
  const areClosedByExec = closeOnExec(c);
  const actions = new Uint8Array(opaqueBytes);
  const attributes = new Uint8Array(opaqueBytes);
  succeeded(c.posix_spawn_file_actions_init(actions));
  succeeded(c.posix_spawnattr_init(attributes));
  try {
    fillActions(
      c,
      actions,
      process.folder,
      inherited.map(({ fd }) => fd),
      areClosedByExec,
    ).forEach(succeeded);
    fillAttributes(c, attributes).forEach(succeeded);
    const pid = new Int32Array(1);
    const environment = Object.entries(process.environment).map(([name, value]) => `${name}=${value}`);
    const args = [process.program, ...process.args, null];
    const pidBytes = new Uint8Array(pid.buffer);
    succeeded(c.posix_spawn(pidBytes, process.program, actions, attributes, args, [...environment, null]));
    return pid[0] ?? 0;
  } finally {
    c.posix_spawn_file_actions_destroy(actions);
    c.posix_spawnattr_destroy(attributes);
    for (const { fd, isCopy } of inherited) if (isCopy) closeFile(fd);
  }
}

/**
 * A descriptor whose number is another one's target in the child would be overwritten before it is duplicated: copied
 * above the targets first.
 */
function movedAbove(c: Libc, inherited: readonly number[]): { fd: number; isCopy: boolean }[] {
  const free = firstInherited + inherited.length;
  return inherited.map((fd) => {
    if (fd >= free) return { fd, isCopy: false };
    return { fd: checked(c.fcntl(fd, F_DUPFD_CLOEXEC, free), 'fcntl F_DUPFD_CLOEXEC', `fd ${fd}`), isCopy: true };
  });
}

/**
 * Marks all descriptors of this process: the child closes them when it executes its program, after it has let go of this
 * process, which waits until then. With thousands of descriptors, closing them takes milliseconds. False before Linux
 * 5.11.
 */
const closeOnExec = (c: Libc): boolean => c.close_range(firstInherited, lastDescriptor, CLOSE_RANGE_CLOEXEC) === 0;

function fillActions(
  c: Libc,
  actions: Uint8Array,
  folder: string,
  inherited: readonly number[],
  areClosedByExec: boolean,
): number[] {
  const { O_RDWR } = constants;
  const next = firstInherited + inherited.length;
  return [
    ...inherited.map((fd, index) => c.posix_spawn_file_actions_adddup2(actions, fd, firstInherited + index)),
    ...(areClosedByExec ? [] : [c.posix_spawn_file_actions_addclosefrom_np(actions, next)]),
    ...[0, 1, 2].map((fd) => c.posix_spawn_file_actions_addopen(actions, fd, '/dev/null', O_RDWR, 0)),
    c.posix_spawn_file_actions_addchdir_np(actions, folder),
  ];
}

function fillAttributes(c: Libc, attributes: Uint8Array): number[] {
  const all = new Uint8Array(signalSetBytes).fill(0xff);
  return [
    c.posix_spawnattr_setsigdefault(attributes, all), // Node ignores SIGPIPE
    c.posix_spawnattr_setsigmask(attributes, new Uint8Array(signalSetBytes)),
    c.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID),
  ];
}

/**
 * Whether a child of this process has ended, also when another part of the process has waited for it. Equivalent to:
 * `wait -n PID`.
 */
export function hasEnded(pid: number): boolean {
  const result = libc().waitpid(pid, null, WNOHANG);
  if (result >= 0) return result === pid;
  const errno = libc().errno();
  if (errno === errnoOf('ECHILD')) return true;
  throw kernelError(errno, 'wait', `${pid}`);
}
