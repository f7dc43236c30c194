/**
 * Rejects mounts over /proc as runc does: they would hide or replace what masks and protects the container. crun allows
 * them. Destinations are resolved as the runtime resolves them, through the symbolic links of the image and of earlier
 * mounts, because an image can contain a link into /proc under an innocent name.
 */
import { lstatSync, readlinkSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { TaskMount } from '@netyard/engine';

/** Files that lxcfs and checkpointing replace; as in runc. */
const replaceable: readonly string[] = [
  ...['/proc/cpuinfo', '/proc/diskstats', '/proc/meminfo', '/proc/stat', '/proc/swaps', '/proc/uptime'],
  ...['/proc/loadavg', '/proc/slabinfo', '/proc/net/dev'],
  ...['/proc/sys/kernel/ns_last_pid', '/proc/sys/crypto/fips_enabled'],
];
const PROC_SUPER_MAGIC = 0x9fa0; // linux/magic.h
const mostLinks = 255;

/** A directory of the container, by its resolved path, and where its content is on the host. */
interface MountedDirectory {
  target: string;
  source: string;
}

/** Throws `invalid` with runc's message. @param mounts in the order in which they are mounted */
export function checkMountTargets(rootPath: string, mounts: readonly TaskMount[]): void {
  const directories: MountedDirectory[] = [{ target: '/', source: rootPath }];
  for (const { type, source, target } of mounts) {
    const resolved = resolveTarget(directories, target);
    const why = objection(resolved, type === 'bind' ? source : undefined);
    if (why !== undefined) {
      const text = `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(target)}`;
      throw new NetyardError(
        'invalid',
        `${text}: ${JSON.stringify(join(rootPath, resolved))} cannot be mounted ${why}`,
      );
    }
    if (type === 'bind') directories.unshift({ target: resolved, source });
  }
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

/** Follows symbolic links inside the container's root, also dangling ones; a missing path resolves to itself. */
function resolveTarget(directories: readonly MountedDirectory[], target: string): string {
  const left = target.split('/');
  let resolved: string[] = [];
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved = resolved.slice(0, -1);
      continue;
    }
    const link = readLink(directories, `/${[...resolved, part].join('/')}`);
    if (link === undefined) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > mostLinks) throw new NetyardError('invalid', `mount destination ${target}: too many symbolic links`);
    if (link.startsWith('/')) resolved = [];
    left.unshift(...link.split('/'));
  }
  return `/${resolved.join('/')}`;
}

/** The target of a symbolic link; undefined for anything else. `path` has no link before its last name. */
function readLink(directories: readonly MountedDirectory[], path: string): string | undefined {
  const directory = directories.find(({ target }) => target === '/' || path.startsWith(`${target}/`));
  if (!directory) return undefined;
  const onHost = join(directory.source, path.slice(directory.target === '/' ? 0 : directory.target.length));
  try {
    return lstatSync(onHost).isSymbolicLink() ? readlinkSync(onHost) : undefined;
  } catch {
    return undefined;
  }
}
