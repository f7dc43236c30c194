/** Mounts and unmounts in this process's mount namespace: bind, overlay and other file systems. */
import { constants } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { checked, closeFile, O_PATH, openFile } from './calls.ts';
import { libc } from './ffi/libc.ts';

/** Flags of mount(2) and of umount2(2). */
export const mountFlag = {
  readOnly: 0x1,
  noSuid: 0x2,
  noDev: 0x4,
  noExec: 0x8,
  synchronous: 0x10,
  remount: 0x20,
  mandatoryLocks: 0x40,
  synchronousFolders: 0x80,
  noAccessTimes: 0x400,
  noFolderAccessTimes: 0x800,
  bind: 0x1000,
  recursive: 0x4000,
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
  relativeAccessTimes: 0x200000,
  strictAccessTimes: 0x1000000,
} as const;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

export interface Mount {
  source?: string;
  target: string;
  /** `overlay`, `tmpfs`, …; absent for bind mounts and changes of propagation. */
  type?: string;
  /** Sum of `mountFlag`s. */
  flags?: number;
  /** Comma separated options of the file system. */
  data?: string;
}

/** mount(2). Equivalent to: `mount -t TYPE -o DATA SOURCE TARGET`. */
export function mount(request: Mount): void {
  const { source, target, type, flags = 0, data } = request;
  const result = libc().mount(source ?? null, target, type ?? null, flags, data ?? null);
  checked(result, type === undefined ? 'mount' : `mount -t ${type}`, target);
}

/**
 * Makes `source` visible at `target`. Equivalent to: `mount --bind SOURCE TARGET` (`--rbind`, and `-o
 * remount,ro,bind`).
 */
export function bindMount(source: string, target: string, options: { readOnly?: boolean; recursive?: boolean } = {}) {
  const flags = mountFlag.bind | (options.recursive ? mountFlag.recursive : 0);
  mount({ source, target, flags });
  if (!options.readOnly) return;
  try {
    mount({ target, flags: mountFlag.bind | mountFlag.remount | mountFlag.readOnly });
  } catch (error) {
    unmount(target, { lazy: true });
    throw error;
  }
}

export interface Overlay {
  target: string;
  /** Lower layers, uppermost first. */
  lower: readonly string[];
  /** Both or neither: without them the overlay is read-only. */
  upper?: string;
  work?: string;
  /**
   * Writes no data to the disk, neither for fsync(2) nor when it is unmounted. Leaves `WORK/work/incompat/volatile`,
   * and the directories cannot be mounted again before that is removed: after a crash of the host their files may be
   * incomplete. Since Linux 5.10 (Documentation/filesystems/overlayfs.rst).
   */
  volatile?: boolean;
}

/**
 * Equivalent to: `mount -t overlay overlay -o lowerdir=A:B,upperdir=U,workdir=W[,volatile] TARGET`; TARGET is absolute.
 *
 * The options name the directories by descriptor, with /proc/self/fd as the working directory: `lowerdir=30:31,…`. The
 * kernel prints them as they were given, and crun 1.8 reads all of /proc/mounts at each start, to look for SELinux: the
 * shorter the options, the less a start takes beside many containers. The number of layers is not limited by the length
 * of their paths either. The working directory is that of the whole process, and changes for this one call.
 */
export function mountOverlay({ target, lower, upper, work, volatile }: Overlay): void {
  const opened: number[] = [];
  const open = (path: string): number => {
    const fd = openFile(path, O_PATH | constants.O_DIRECTORY);
    opened.push(fd);
    return fd;
  };
  try {
    const layers = lower.map(open);
    const writable = upper === undefined || work === undefined ? undefined : { upper: open(upper), work: open(work) };
    const data = overlayOptions({ lower: layers, ...writable, volatile });
    inFolder('/proc/self/fd', () => mount({ source: 'overlay', target, type: 'overlay', data }));
  } finally {
    for (const fd of opened) closeFile(fd);
  }
}

function inFolder(folder: string, work: () => void): void {
  const former = openFile('.', O_PATH);
  try {
    checked(libc().chdir(folder), 'chdir', folder);
    work();
  } finally {
    checked(libc().fchdir(former), 'chdir', 'former working directory');
    closeFile(former);
  }
}

/** The directories of an overlay, by descriptor. */
interface OpenedOverlay {
  lower: readonly number[];
  upper?: number;
  work?: number;
  volatile?: boolean | undefined;
}

/** Options of an overlay mount. The kernel accepts one page: some hundreds of layers. More throw `invalid`. Pure. */
export function overlayOptions({ lower, upper, work, volatile = false }: OpenedOverlay): string {
  const options = [`lowerdir=${lower.join(':')}`];
  if (upper !== undefined && work !== undefined) {
    options.push(`upperdir=${upper}`, `workdir=${work}`);
    if (volatile) options.push('volatile');
  }
  const data = options.join(',');
  if (data.length < 4096) return data;
  throw new NetyardError('invalid', `options of an overlay mount of ${lower.length} layers exceed 4095 bytes`);
}

/**
 * umount2(2); `lazy` detaches a busy mount immediately. Never follows a symbolic link. Equivalent to: `umount [-l]
 * TARGET`.
 */
export function unmount(target: string, options: { lazy?: boolean } = {}): void {
  checked(libc().umount2(target, UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0)), 'umount', target);
}

/**
 * The same on another thread: unmounting an overlay flushes its data and waits for all CPUs, some milliseconds during
 * which this thread can do other work.
 *
 * @returns false when it failed; call `unmount` to learn why
 */
export function unmountAsync(target: string, options: { lazy?: boolean } = {}): Promise<boolean> {
  const flags = UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0);
  return new Promise((resolve, reject) => {
    libc().umount2Async(target, flags, (error, result) => (error ? reject(error) : resolve(result === 0)));
  });
}
