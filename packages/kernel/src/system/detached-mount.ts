/** A file system mounted nowhere: reachable by a descriptor only, and gone with it. fsopen(2), fsmount(2), Linux 5.2. */
import { checked, closeFile } from './calls.ts';
import { libc } from './ffi/libc.ts';

/** The same on every architecture. */
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR = { noSuid: 2, noDev: 4, noExec: 8 } as const;

/** Runs `work` with a path of the file system's root. No mount namespace, this process's included, sees the mount. */
export function withDetachedMount<T>(type: string, work: (root: string) => T): T {
  const context = checked(libc().syscallFsopen(SYS_fsopen, type, FSOPEN_CLOEXEC), 'fsopen', type);
  try {
    checked(libc().syscallFsconfig(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null, null, 0), 'fsconfig', type);
    const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noDev | MOUNT_ATTR.noExec;
    const mount = checked(libc().syscallFsmount(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes), 'fsmount', type);
    try {
      return work(`/proc/self/fd/${mount}`);
    } finally {
      closeFile(mount);
    }
  } finally {
    closeFile(context);
  }
}
