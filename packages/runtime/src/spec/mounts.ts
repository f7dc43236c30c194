/** The mounts of a container: Docker's default ones, then those requested. Pure. */
import type { TaskSpec } from '@netyard/engine';
import type { OciMount } from '../oci.ts';

const closed = ['nosuid', 'noexec', 'nodev'];
const defaultShmSize = 64 * 1024 * 1024;

/** `cgroup` in a private cgroup namespace, or a view of the host's. */
export function planMounts(spec: TaskSpec, initPath: string): OciMount[] {
  const writable = spec.privileged ? 'rw' : 'ro';
  const asked = spec.mounts.map(
    (mount): OciMount => ({
      destination: mount.target,
      type: mount.type,
      source: mount.source,
      options: mount.options,
    }),
  );
  const init: OciMount[] = spec.init
    ? [{ destination: initTarget, type: 'bind', source: initPath, options: ['bind', 'ro'] }]
    : [];
  const defaults: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: closed },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    sysMount(spec, writable),
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [writable, ...closed] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: closed }, // of its IPC namespace, or the host's
    ...shmMount(spec),
  ];
  const replaced = new Set(asked.map((mount) => mount.destination));
  const isHidden = ({ destination }: OciMount): boolean => replaced.has('/dev') && destination.startsWith('/dev/');
  const kept = defaults.filter((mount) => !replaced.has(mount.destination) && !isHidden(mount));
  return [...kept, ...[...asked, ...init].sort(byDepth)];
}

/**
 * Mounts propagate between host and container only as far as the root's propagation allows: see mount_namespaces(7).
 * Without a bind that requests propagation, the runtime's default (private) applies.
 */
export function planPropagation(spec: TaskSpec): { rootfsPropagation?: 'rshared' | 'rslave' } {
  const options = spec.mounts.flatMap((mount) => mount.options);
  if (options.includes('shared') || options.includes('rshared')) return { rootfsPropagation: 'rshared' };
  if (options.includes('slave') || options.includes('rslave')) return { rootfsPropagation: 'rslave' };
  return {};
}

export const initTarget = '/sbin/docker-init';

/** A directory before what is mounted in it; otherwise in the given order (sort is stable). */
function byDepth(a: OciMount, b: OciMount): number {
  const depth = (mount: OciMount): number => mount.destination.split('/').filter(Boolean).length;
  return depth(a) - depth(b);
}

/**
 * A new sysfs shows the devices of its network namespace; with the host's namespace it must be a bind mount (the kernel
 * rejects a new one).
 */
function sysMount(spec: TaskSpec, writable: string): OciMount {
  if (spec.netnsPath === undefined) {
    return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', writable, ...closed] };
  }
  return { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...closed, writable] };
}

function shmMount(spec: TaskSpec): OciMount[] {
  if (spec.ipcNamespace === 'none') return [];
  if (spec.ipcNamespace === 'host') {
    return [{ destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', ...closed] }];
  }
  const size = spec.shmSize > 0 ? spec.shmSize : defaultShmSize;
  return [{ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...closed, 'mode=1777', `size=${size}`] }];
}
