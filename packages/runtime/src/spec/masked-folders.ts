/**
 * Directories of the kernel that a container must not see, covered by one empty directory of the host. Pure.
 *
 * A runtime mounts a tmpfs on each of them. The kernel gives each file system a shrinker, and each memory cgroup a part
 * of a bitmap for all of them: beside a thousand containers, creating the next one's cgroup takes milliseconds
 * (`alloc_shrinker_info`, mm/shrinker.c). A bind mount is no further file system.
 */
import type { TaskSpec } from '@netyard/engine';
import type { OciMount, OciSpec } from '../oci.ts';

export interface EmptyFolder {
  /** Absolute path on the host, of an empty directory that stays empty. */
  path: string;
  /** Paths below /proc and /sys that are directories on this host. */
  masked: readonly string[];
}

const standardTargets: readonly string[] = ['/proc', '/sys', '/sys/fs/cgroup'];

/**
 * The same specification with bind mounts in place of those masked paths. crun only: runc rejects mounts below /proc.
 * Unchanged where the container has mounts of its own in /proc or /sys, since then the paths may be something else, and
 * where a process may mount the directory writable: other containers would see what is written. That is with
 * CAP_SYS_ADMIN, which `exec --privileged` gives as well, and then only the default seccomp profile prevents it.
 * @param seccomp the requested profile; undefined: the default one
 */
export function coverMaskedFolders(
  spec: OciSpec,
  { path, masked }: EmptyFolder,
  seccomp: TaskSpec['seccomp'],
): OciSpec {
  const { mounts, linux } = spec;
  const mayRemount = seccomp !== undefined || spec.process.capabilities.bounding.includes('CAP_SYS_ADMIN');
  if (mayRemount || mounts.some(replacesKernelFolder)) return spec;
  const covered = (linux.maskedPaths ?? []).filter((one) => masked.includes(one));
  const options = ['bind', 'ro', 'nosuid', 'nodev', 'noexec'];
  const covers = covered.map((destination): OciMount => ({ destination, type: 'bind', source: path, options }));
  const maskedPaths = (linux.maskedPaths ?? []).filter((one) => !covered.includes(one));
  return { ...spec, mounts: [...mounts, ...covers], linux: { ...linux, maskedPaths } };
}

function replacesKernelFolder({ destination, type, source, options }: OciMount): boolean {
  if (type === 'proc' || type === 'sysfs' || type === 'cgroup') return !standardTargets.includes(destination);
  // Of a container in the host's network. In a shared mount the covers would appear on the host.
  if (destination === '/sys' && source === '/sys') return options.some((option) => option.endsWith('shared'));
  return ['/proc', '/sys'].some((top) => destination === top || destination.startsWith(`${top}/`));
}
