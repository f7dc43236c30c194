/** The cgroups of containers, v1 and v2: their paths, and removing what a crash left of them. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hasErrno } from '@netyard/kernel';
import type { CgroupFacts } from '../spec/limits.ts';

export interface CgroupMounts {
  version: '1' | '2';
  /** v1: mount point by controller (`memory`, `cpu`, … and `name=systemd`). v2: one, under ''. */
  mountPoints: ReadonlyMap<string, string>;
  /** v1 with v2 beside it: the mount point of v2. */
  unified?: string;
}

/** Parses /proc/self/mountinfo (proc(5)). A v2 hierarchy beside v1 ones has no controllers and counts as v1. Pure. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  const found = mountinfo.split('\n').map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [type = '', , options = ''] = right.split(' ');
    return { mountPoint: left.split(' ')[4] ?? '', type, options: options.split(',') };
  });
  const first = found.filter(({ type }) => type === 'cgroup');
  const unified = found.find(({ type }) => type === 'cgroup2')?.mountPoint;
  if (first.length === 0) {
    return { version: '2', mountPoints: new Map(unified === undefined ? [] : [['', unified]]) };
  }
  const entries = first.flatMap(({ mountPoint, options }) =>
    options.filter((name) => !/^(rw|ro)$/.test(name)).map((name) => [name, mountPoint] as const),
  );
  return { version: '1', mountPoints: new Map(entries), ...(unified === undefined ? {} : { unified }) };
}

export function readCgroupMounts(): CgroupMounts & CgroupFacts {
  const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  return { ...mounts, countsSwap: countsSwap(mounts) };
}

/**
 * The root of v2 has no limits: checks the daemon's own group; if the daemon is in the root, assumes that swap is
 * counted.
 */
function countsSwap(mounts: CgroupMounts): boolean {
  if (mounts.version === '1') {
    const memory = mounts.mountPoints.get('memory');
    return memory !== undefined && existsSync(join(memory, 'memory.memsw.limit_in_bytes'));
  }
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  const folder = cgroupFolder(mounts, '', own);
  if (own === '/' || folder === undefined || !existsSync(join(folder, 'memory.current'))) return true;
  return existsSync(join(folder, 'memory.swap.max'));
}

/**
 * Directory of a container's group in one hierarchy; undefined when that is not mounted. `controller` matters in v1
 * only.
 */
export function cgroupFolder(mounts: CgroupMounts, controller: string, cgroupPath: string): string | undefined {
  const mountPoint = mounts.mountPoints.get(mounts.version === '2' ? '' : controller);
  return mountPoint === undefined ? undefined : join(mountPoint, cgroupPath);
}

const attempts = 100;
const pauseMs = 20;

/** Kills the remaining processes of a group and removes it from all hierarchies; no error when it does not exist. */
export async function removeCgroup(mounts: CgroupMounts, cgroupPath: string): Promise<void> {
  if (cgroupPath.split('/').filter(Boolean).length < 2) return; // never one that holds more than a container
  const { mountPoints, unified } = mounts;
  const hierarchies = new Set([...mountPoints.values(), ...(unified === undefined ? [] : [unified])]);
  const tops = [...hierarchies].map((mountPoint) => join(mountPoint, cgroupPath));
  removePlainFolder(mounts, cgroupPath);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const folders = tops.flatMap(foldersBelow);
    if (folders.length === 0) return;
    for (const folder of folders) killAll(folder);
    if (folders.map(removeFolder).every(Boolean)) return;
    await pause(pauseMs);
  }
  throw new Error(`the cgroup ${cgroupPath} does not become empty`);
}

/**
 * crun creates a directory for v2 beside those of v1 also where v2 is not mounted: a plain one, which it does not
 * remove.
 */
function removePlainFolder({ version, mountPoints, unified }: CgroupMounts, cgroupPath: string): void {
  const [first] = mountPoints.values();
  if (version === '2' || unified !== undefined || first === undefined) return;
  rmSync(join(dirname(first), 'unified', cgroupPath), { recursive: true, force: true });
}

/** Deepest first. */
function foldersBelow(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...below.flatMap((entry) => foldersBelow(join(folder, entry.name))), folder];
}

function killAll(folder: string): void {
  for (const pid of readPids(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}

function readPids(folder: string): number[] {
  try {
    const text = readFileSync(join(folder, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .filter(Boolean)
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return hasErrno(error, 'ENOENT');
  }
}
