/**
 * The script that turns a process in new namespaces into a host: mounts, host name, first process. Pure text; `host.ts`
 * runs it under unshare(1).
 */
import type { Hierarchy } from './cgroups.ts';

export interface HostSetup {
  hostname: string;
  /** Upper and work directory of the host's own overlay on /etc. */
  etc: string;
  etcWork: string;
  hierarchies: readonly Hierarchy[];
  /** Files to write `0` to in order to enter the leaf of the host's cgroups. */
  leafFiles: readonly string[];
}

/** Quoted for sh. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Printed on standard output when the host is set up. */
export const readyLine = 'ready';

/**
 * First part, in a new cgroup namespace whose root is the host's group: enters the leaf, then creates the other
 * namespaces. `unshare` stays outside the PID namespace, as the parent that reaps the host's first process.
 */
export function outerScript(setup: HostSetup): string {
  const namespaces = '--net --mount --pid --uts --ipc --fork --mount-proc --propagation private';
  return [
    'set -eu',
    ...setup.leafFiles.map((file) => `echo 0 > ${quote(file)}`),
    `exec unshare ${namespaces} sh -c ${quote(innerScript(setup))}`,
  ].join('\n');
}

/** Second part, inside all namespaces, as process 1. */
export function innerScript(setup: HostSetup): string {
  const overlay = `lowerdir=/etc,upperdir=${setup.etc},workdir=${setup.etcWork}`;
  return [
    'set -eu',
    `mount -t overlay -o ${quote(overlay)} overlay /etc`,
    // Copies of mounts there, such as pinned namespaces, would keep alive what the machine unmounts. A mount that
    // the machine removes meanwhile, with its file, disappears here as well.
    "grep -o ' /run/[^ ]*' /proc/self/mountinfo | sort -ru | while read -r path; do",
    '  umount -l "$path" 2> /dev/null || ! grep -qF " $path " /proc/self/mountinfo || umount -l "$path"',
    'done',
    'mount -t tmpfs -o mode=755 tmpfs /run',
    'mkdir -p /run/netns /run/lock /run/netyard /run/lab',
    'ln -s netyard/netyard.sock /run/docker.sock',
    '[ "$(readlink -f /var/run)" = /run ] || mount --bind /run /var/run',
    'mount -t sysfs sysfs /sys',
    ...mountCgroups(setup.hierarchies),
    `echo ${quote(setup.hostname)} > /proc/sys/kernel/hostname`,
    `echo ${readyLine}`,
    'exec tini -- sleep infinity < /dev/null > /dev/null 2>&1',
  ].join('\n');
}

/** Mounted anew in a cgroup namespace, the hierarchies show the host's group as their root. */
function mountCgroups(hierarchies: readonly Hierarchy[]): string[] {
  const version2 = hierarchies.find((one) => one.version === 2);
  if (version2) return [`mount -t cgroup2 cgroup2 ${quote(version2.mountPoint)}`];
  if (hierarchies.length === 0) return [];
  const mounts = hierarchies.flatMap(({ mountPoint, options }) => [
    `mkdir -p ${quote(mountPoint)}`,
    `mount -t cgroup -o ${quote(options)} cgroup ${quote(mountPoint)}`,
  ]);
  return ['mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup', ...mounts];
}
