/**
 * A procfs of this process, through which it reaches the settings of network namespaces.
 *
 * Below /proc/sys/net the directories of all namespaces have the same names, and the directory cache of a procfs finds
 * the right one by comparing one namespace after the other (proc_sys_compare of fs/proc/proc_sysctl.c): beside 300
 * containers, each look-up in the host's /proc takes 0.3 ms with cold caches, also of the host's own settings, because
 * the OCI runtime sets those of each container there. Since Linux 5.8 each mount of procfs has a directory cache of its
 * own. This one is attached nowhere, and is replaced before it has seen many namespaces.
 */
import { checked, closeFile, closeInBackground } from './calls.ts';
import { libc } from './ffi/libc.ts';

/** The numbers of system calls since Linux 5.1 are the same on all architectures. */
const SYS_fsopen = 430;
const SYS_fsconfig = 431;
const SYS_fsmount = 432;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
/** nosuid, nodev, noexec: linux/mount.h. */
const mountAttributes = 2 | 4 | 8;
/** A look-up among so many takes a few microseconds; a mount takes 20. */
const maxNamespaces = 32;

export class PrivateProc {
  readonly #namespaces = new Set<string>();
  #fd: number | undefined;
  #isUnavailable = false;

  /** A folder with the contents of /proc, to open files of the namespace at `ns` from inside of it. */
  folderFor(ns: string): string {
    if (this.#namespaces.size >= maxNamespaces && !this.#namespaces.has(ns)) this.close();
    if (this.#fd === undefined && !this.#isUnavailable) this.#mount();
    if (this.#fd === undefined) return '/proc';
    this.#namespaces.add(ns);
    return `/proc/self/fd/${this.#fd}`;
  }

  close(): void {
    if (this.#fd !== undefined) closeInBackground(this.#fd); // takes as long as freeing what was looked up
    this.#fd = undefined;
    this.#namespaces.clear();
  }

  #mount(): void {
    try {
      this.#fd = mountProc();
    } catch {
      this.#isUnavailable = true; // such as on a kernel without fsopen(2): /proc has the same files
    }
  }
}

/** A mount outside of any mount namespace, which ends with the returned descriptor. See fsopen(2), fsmount(2). */
function mountProc(): number {
  const context = checked(libc().syscallFsopen(SYS_fsopen, 'proc', FSOPEN_CLOEXEC), 'fsopen', 'proc');
  try {
    checked(libc().syscallFsconfig(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, null, null, 0), 'fsconfig', 'proc');
    return checked(libc().syscallFsmount(SYS_fsmount, context, FSMOUNT_CLOEXEC, mountAttributes), 'fsmount', 'proc');
  } finally {
    closeFile(context);
  }
}
