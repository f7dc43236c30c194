/**
 * File operations that node:fs lacks: opening confined to a root directory, FIFOs, devices, holes. The caller closes
 * the returned descriptors.
 */
import { constants } from 'node:fs';
import { cPath } from './c-path.ts';
import { checked, checkedRetrying, closeFile, O_CLOEXEC, O_PATH, openFile } from './calls.ts';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

const SYS_openat2 = 437; // the same on every architecture
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const SPLICE_F_NONBLOCK = 0x02;
const FIONREAD = 0x541b; // likewise, also not on alpha
const FS_IOC_GETFLAGS = 0x80086601; // as on all architectures but mips, powerpc and sparc
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x00020000;
const EAGAIN = errnoOf('EAGAIN');
const EINTR = errnoOf('EINTR');

/**
 * Opens `path` as a process with the root directory `root` would: `..` and absolute symbolic links cannot leave `root`,
 * even when a container replaces directories by links meanwhile. openat2(2), RESOLVE_IN_ROOT. Equivalent to: `chroot
 * ROOT cat PATH`.
 *
 * @param root a path, or a descriptor of the directory
 * @param flags open(2) flags from fs.constants, or O_PATH; O_CLOEXEC is added
 * @param mode permissions of a file created by O_CREAT
 * @returns a descriptor, usable as `/proc/self/fd/N`
 */
export function openInRoot(root: string | number, path: string, flags: number = constants.O_RDONLY, mode = 0): number {
  const how = openHow(flags | O_CLOEXEC, mode);
  if (typeof root === 'number') return openBelow(root, cPath(path), how, path);
  const folder = openFile(root, O_PATH | constants.O_DIRECTORY);
  try {
    return openBelow(folder, cPath(path), how, `${path} in ${root}`);
  } finally {
    closeFile(folder);
  }
}

/**
 * Opens a name in the directory `folder` (a descriptor). openat(2): less than half the time of node:fs with a path through
 * /proc.
 *
 * @param flags as for `openInRoot`
 */
export function openAt(folder: number, name: string, flags: number, mode = 0): number {
  const path = cPath(name);
  return checkedRetrying(() => libc().openat(folder, path, flags | O_CLOEXEC, mode), 'open', name);
}

/**
 * Opens an existing path as `openInRoot` does, but nothing that is mounted in the directory `root`, a descriptor. Throws
 * KernelError EXDEV where a mount is on the way. RESOLVE_NO_XDEV
 */
export function openOnSameMount(root: number, path: string, flags: number = constants.O_RDONLY): number {
  return openBelow(root, cPath(path), openHow(flags | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_XDEV), path);
}

/**
 * Opens an existing path in the directory `root`. Throws KernelError EXDEV for `..` and symbolic links that lead out of it,
 * absolute ones included. RESOLVE_BENEATH
 */
export function openBeneath(root: string, path: string, flags: number = constants.O_RDONLY): number {
  const folder = openFile(root, O_PATH | constants.O_DIRECTORY);
  try {
    const how = openHow(flags | O_CLOEXEC, 0, RESOLVE_BENEATH);
    return openBelow(folder, cPath(path), how, `${path} in ${root}`);
  } finally {
    closeFile(folder);
  }
}

/** struct open_how of linux/openat2.h. */
function openHow(flags: number, mode: number, resolve = RESOLVE_IN_ROOT): Uint8Array {
  const how = new BigUint64Array(3);
  how.set([BigInt(flags), BigInt(mode), BigInt(RESOLVE_NO_MAGICLINKS | resolve)]);
  return new Uint8Array(how.buffer);
}

function openBelow(folder: number, path: string | Uint8Array, how: Uint8Array, object: string): number {
  const retried = [errnoOf('EAGAIN'), errnoOf('EINTR')]; // EAGAIN: a rename raced with the resolution of `..`
  for (let attempt = 1; ; attempt += 1) {
    const fd = libc().syscallOpenat2(SYS_openat2, folder, path, how, how.length);
    if (fd >= 0) return fd;
    const errno = libc().errno();
    if (attempt >= 128 || !retried.includes(errno)) throw kernelError(errno, 'open', object);
  }
}

/** mkfifo(3). Equivalent to: `mkfifo -m MODE PATH`. */
export function makeFifo(path: string, mode = 0o600): void {
  checked(libc().mkfifo(cPath(path), mode), 'mkfifo', path);
}

/** mknod(2) of a device. Equivalent to: `mknod PATH b|c MAJOR MINOR`. */
export function makeDevice(
  path: string,
  type: 'block' | 'character',
  major: number,
  minor: number,
  mode = 0o600,
): void {
  const kind = type === 'block' ? constants.S_IFBLK : constants.S_IFCHR;
  checked(libc().mknod(cPath(path), kind | mode, deviceNumber(major, minor)), 'mknod', path);
}

const AT_SYMLINK_NOFOLLOW = 0x100;

/**
 * Sets both timestamps of a name in the directory `folder` (a descriptor); does not follow a symbolic link.
 * utimensat(2); node:fs takes doubles, which are too coarse for nanoseconds. Equivalent to: `touch -h -d
 * @SECONDS.NANOSECONDS NAME`.
 */
export function setTimes(folder: number, name: string, time: bigint): void {
  checked(libc().utimensat(folder, cPath(name), timespecs(time), AT_SYMLINK_NOFOLLOW), 'utimensat', name);
}

/** The same for an open file. futimens(3). */
export function setFileTimes(fd: number, time: bigint): void {
  checked(libc().futimens(fd, timespecs(time)), 'futimens', `fd ${fd}`);
}

/** Two equal struct timespec. */
function timespecs(time: bigint): Uint8Array {
  const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (time - nanoseconds) / 1_000_000_000n;
  return new Uint8Array(new BigInt64Array([seconds, nanoseconds, seconds, nanoseconds]).buffer);
}

const AT_FDCWD = -100;

/** The same for a path, absolute or relative to the working directory. */
export const setPathTimes = (path: string, time: bigint): void => setTimes(AT_FDCWD, path, time);

/**
 * Writes what the file system of an open file holds in memory to the disk, in another thread. syncfs(2). Equivalent to:
 * `sync -f FILE`. Whether it succeeded; errno belongs to the other thread.
 */
export function syncFileSystem(fd: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    libc().syncfsAsync(fd, (error, result) => (error === null ? resolve(result === 0) : reject(error)));
  });
}

/**
 * Says that the directories in this one (a descriptor) are unrelated: ext4 places the inodes of each with a distance to the
 * others'. Returns false on a file system without such a mark. Equivalent to: `chattr +T DIRECTORY`.
 */
export function separateSubdirectories(folder: number): boolean {
  const flags = new Uint32Array(2);
  const bytes = new Uint8Array(flags.buffer);
  if (libc().ioctl(folder, FS_IOC_GETFLAGS, bytes) !== 0) return false;
  if (((flags[0] ?? 0) & FS_TOPDIR_FL) !== 0) return true;
  flags[0] = (flags[0] ?? 0) | FS_TOPDIR_FL;
  return libc().ioctl(folder, FS_IOC_SETFLAGS, bytes) === 0;
}

/** glibc's makedev(3). Pure. */
export function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/**
 * Opens a FIFO without waiting for the other end. `read` always succeeds and reads end-of-file after the last writer
 * closes; `write` throws ENXIO while there is no reader; `both` keeps the FIFO open and never reads end-of-file. See
 * fifo(7).
 */
export function openFifo(path: string, way: 'read' | 'write' | 'both'): number {
  const flags = { read: constants.O_RDONLY, write: constants.O_WRONLY, both: constants.O_RDWR }[way];
  return openFile(path, flags | constants.O_NONBLOCK);
}

/** Number of bytes that a pipe holds. ioctl(2) FIONREAD */
export function bytesInPipe(fd: number): number {
  const count = new Int32Array(1);
  checked(libc().ioctl(fd, FIONREAD, new Uint8Array(count.buffer)), 'ioctl FIONREAD', `fd ${fd}`);
  return count[0] ?? 0;
}

/** Deallocates a range of a file: it reads as zeros and the size stays. Equivalent to: `fallocate -p`. */
export function punchHole(fd: number, offset: number, length: number): void {
  const result = libc().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
  checked(result, 'fallocate --punch-hole', `fd ${fd}`);
}

/**
 * Moves up to `length` bytes from a pipe into a file at `offset`, without waiting for more. The bytes leave the pipe
 * once they are in the file: if the process is killed, each byte is in exactly one of the two. splice(2).
 *
 * @returns the number of bytes; 0 when no process has the pipe open for writing; undefined when it is empty
 */
export function spliceToFile(pipe: number, file: number, offset: number, length: number): number | undefined {
  const position = new Uint8Array(BigInt64Array.of(BigInt(offset)).buffer);
  for (;;) {
    const moved = libc().splice(pipe, null, file, position, length, SPLICE_F_NONBLOCK);
    if (moved >= 0) return moved;
    const errno = libc().errno();
    if (errno === EAGAIN) return undefined;
    if (errno !== EINTR) throw kernelError(errno, 'splice', `fd ${pipe} to fd ${file}`);
  }
}
