/**
 * Resolves the destinations of mounts through the symbolic links of the image and of earlier mounts. crun, unlike
 * runc, fails on a dangling link instead of creating its target. Rejects mounts over /proc as runc does and crun does
 * not: they would hide or replace what masks and protects the container, and an image can contain a link into /proc
 * under an innocent name.
 */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { OciMount } from '../oci.ts';
import { type MountedDirectory, resolveTarget } from '../rootfs/resolve-path.ts';

/** Files that lxcfs and checkpointing replace; as in runc. */
const replaceable: readonly string[] = [
  ...['/proc/cpuinfo', '/proc/diskstats', '/proc/meminfo', '/proc/stat', '/proc/swaps', '/proc/uptime'],
  ...['/proc/loadavg', '/proc/slabinfo', '/proc/net/dev'],
  ...['/proc/sys/kernel/ns_last_pid', '/proc/sys/crypto/fips_enabled'],
];
const PROC_SUPER_MAGIC = 0x9fa0; // linux/magic.h

/** Content of the kernel: links in it lead to what only the container sees. */
const kernelTypes: readonly string[] = ['proc', 'sysfs', 'devpts', 'mqueue', 'cgroup'];

/**
 * The same mounts with resolved destinations. The runtime resolves these again, inside the root, so a link that another
 * container creates meanwhile does not lead out. Throws `invalid` with runc's message.
 * @param mounts in the order in which they are mounted
 */
export function resolveMounts(rootPath: string, mounts: readonly OciMount[]): OciMount[] {
  const directories: MountedDirectory[] = [{ target: '/', source: rootPath }];
  return mounts.map((mount) => {
    const destination = kernelTypes.includes(mount.type) ? mount.destination : resolveMount(directories, mount);
    directories.unshift({ target: destination, source: mount.type === 'bind' ? mount.source : undefined });
    return { ...mount, destination };
  });
}

function resolveMount(directories: readonly MountedDirectory[], mount: OciMount): string {
  const { destination, source, type } = mount;
  const resolved = resolveTarget(directories, destination);
  const why = objection(resolved, type === 'bind' ? source : undefined);
  if (why === undefined) return resolved;
  const root = directories.at(-1)?.source ?? '';
  const text = `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(destination)}`;
  throw new NetyardError('invalid', `${text}: ${JSON.stringify(join(root, resolved))} cannot be mounted ${why}`);
}

/** @param bound the content of a bind mount */
function objection(path: string, bound: string | undefined): string | undefined {
  if (path === '/proc') {
    return bound !== undefined && isProc(bound) ? undefined : 'because it is not of type proc';
  }
  return path.startsWith('/proc/') && !replaceable.includes(path) ? 'because it is inside /proc' : undefined;
}

function isProc(path: string): boolean {
  try {
    return statfsSync(path).type === PROC_SUPER_MAGIC;
  } catch {
    return false; // the runtime reports a missing source
  }
}
