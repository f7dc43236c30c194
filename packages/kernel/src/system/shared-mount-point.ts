/** Directories that are mount points of their own, whose mounts other mount namespaces receive. */
import { KernelError } from '@netyard/core';
import { checked, closeFile } from './calls.ts';
import { hasErrno } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';
import { attachMount, copyMount } from './mount-tree.ts';
import { mount, mountFlag } from './mounts.ts';

const SYS_mount_setattr = 442; // the same on every architecture
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
/** struct mount_attr: flags to set and to clear, propagation, a user namespace; 64 bits each. */
const attributeWords = 4;

/**
 * Makes a directory a mount point with shared propagation, as `ip netns` does with /run/netns: a namespace pinned or
 * unpinned in one mount namespace is then also pinned or unpinned in those that share the mount. Unlike `ip netns`, not
 * with what is mounted in it: the kernel would go through a thousand namespaces for each new one, and what is mounted
 * or unmounted in the directory propagates without.
 */
export function makeSharedMountPoint(folder: string): void {
  const share = (): void => mount({ source: '', target: folder, type: 'none', flags: mountFlag.shared });
  try {
    share();
  } catch (error) {
    if (!hasErrno(error, 'EINVAL')) throw error; // EINVAL: not a mount point yet
    mountOnItself(folder);
    share();
  }
}

/**
 * Equivalent to: `mount --rbind FOLDER FOLDER`. A peer of the mount that contains the folder, if that is shared (systemd
 * shares all): whatever is mounted below the folder, the kernel then also mounts below the mount that is covered.
 */
function mountOnItself(folder: string): void {
  try {
    mountOnItselfApart(folder);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error; // ENOSYS before Linux 5.12; seccomp filters return others
    mount({ source: folder, target: folder, type: 'none', flags: mountFlag.bind | mountFlag.recursive });
  }
}

/** The same without being a peer of the mount that contains the folder. */
function mountOnItselfApart(folder: string): void {
  const copy = copyMount(folder, { recursive: true });
  try {
    makePrivate(copy, folder);
    attachMount(copy, folder); // where mounts are shared it becomes so again, in a peer group of its own
  } finally {
    closeFile(copy);
  }
}

/** mount_setattr(2) of a mount that is attached nowhere. */
function makePrivate(fd: number, name: string): void {
  const attributes = new BigUint64Array(attributeWords);
  attributes[2] = BigInt(mountFlag.private);
  const bytes = new Uint8Array(attributes.buffer);
  const flags = AT_EMPTY_PATH | AT_RECURSIVE;
  const result = libc().syscallMountSetattr(SYS_mount_setattr, fd, '', flags, bytes, bytes.length);
  checked(result, 'mount_setattr', name);
}
