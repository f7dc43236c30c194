/**
 * The cgroups of a lab host: one group per hierarchy, v1 or v2, that contains all its processes.
 *
 * The group has a leaf `init` for the host's own processes, so that in cgroup v2 the host's containers, in groups
 * beside that leaf, can have controllers. The group also lists the host's processes: after a crash, every process in it
 * belongs to the lab.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno } from '@netyard/kernel';

/** A mounted cgroup hierarchy. */
export interface Hierarchy {
  /** Its mount point, on the machine and in a host. */
  mountPoint: string;
  version: 1 | 2;
  /** Mount options that select it in v1: `cpu,cpuacct`, `none,name=systemd`. Empty in v2. */
  options: string;
}

const leafName = 'init';
const maxAttempts = 100;

/**
 * Parses the hierarchies in /proc/PID/mountinfo (proc(5)). Omits the v2 hierarchy that a v1 machine mounts beside the
 * others ("hybrid"), because crun refuses to run with it. Pure.
 */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found = mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , , mountPoint = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (type === 'cgroup2') return [{ mountPoint, version: 2, options: '' }];
    return type === 'cgroup' ? [{ mountPoint, version: 1, options: hierarchyOptions(options) }] : [];
  });
  const unique = found.filter(
    (one, index) => found.findIndex((other) => other.mountPoint === one.mountPoint) === index,
  );
  const isVersion1 = unique.some((one) => one.version === 1);
  return unique.filter((one) => !isVersion1 || one.version === 1);
}

/** `rw,cpu,cpuacct` becomes `cpu,cpuacct`; a named hierarchy without controllers needs `none`. */
function hierarchyOptions(options: string): string {
  const kept = options
    .split(',')
    .filter((one) => !/^(rw|ro|release_agent=.*|clone_children|xattr|noprefix)$/.test(one));
  return kept.every((one) => one.startsWith('name=')) ? ['none', ...kept].join(',') : kept.join(',');
}

export const readHierarchies = (): Hierarchy[] => parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));

/** Files to which a process writes `0` to enter the host's leaf. Pure. */
export function leafFiles(hierarchies: readonly Hierarchy[], cgroup: string): string[] {
  return hierarchies.map((one) => join(one.mountPoint, cgroup, leafName, 'cgroup.procs'));
}

/**
 * Files to which a process writes `0` to make the host's group, not its leaf, the root of a new cgroup namespace. Pure.
 */
export function groupFiles(hierarchies: readonly Hierarchy[], cgroup: string): string[] {
  return hierarchies.map((one) => join(one.mountPoint, cgroup, 'cgroup.procs'));
}

export function createGroups(hierarchies: readonly Hierarchy[], cgroup: string): void {
  for (const { mountPoint, version } of hierarchies) {
    const parts = [...cgroup.split('/'), leafName];
    // The leaf first: an empty parent may be removed at any time, by another lab that is being deleted.
    createFolder(join(mountPoint, ...parts));
    for (const index of parts.keys()) {
      const folder = join(mountPoint, ...parts.slice(0, index + 1));
      if (version === 1) inheritCpuset(folder);
      else if (index < parts.length - 1) enableControllers(folder);
    }
  }
}

/** With its parents. Repeated when a parent is removed meanwhile, which fails with either of the two errors. */
function createFolder(folder: string): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      mkdirSync(folder, { recursive: true });
      return;
    } catch (error) {
      if (attempt === maxAttempts || !hasErrno(error, 'ENOENT', 'ENODEV')) throw error;
    }
  }
}

/** A new v1 cpuset group has no CPUs and accepts no process until it is given some. */
function inheritCpuset(folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const own = join(folder, file);
    if (existsSync(own) && readFileSync(own, 'utf8').trim() === '')
      writeFileSync(own, readFileSync(join(dirname(folder), file)));
  }
}

/** In v2: enables the group's controllers for its children. */
function enableControllers(folder: string): void {
  const given = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean);
  if (given.length === 0) return;
  writeFileSync(join(folder, 'cgroup.subtree_control'), given.map((controller) => `+${controller}`).join(' '));
}

/** The directories of a group and its descendants, deepest first; empty when it does not exist. */
function foldersBelow(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return [...names.flatMap((name) => foldersBelow(join(folder, name))), folder];
}

/** Processes in the group and its descendants, as pids of the caller's PID namespace. */
export function processesIn(hierarchies: readonly Hierarchy[], cgroup: string): number[] {
  const pids = new Set<number>();
  for (const { mountPoint } of hierarchies) {
    for (const folder of foldersBelow(join(mountPoint, cgroup))) {
      for (const line of readProcesses(folder)) pids.add(Number(line));
    }
  }
  pids.delete(0); // a process outside the caller's PID namespace
  return [...pids];
}

function readProcesses(folder: string): string[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return []; // the group was removed meanwhile
    throw error;
  }
}

/** In v1, frozen processes do not end, not even by SIGKILL; in v2 they do. */
export function thawGroups(hierarchies: readonly Hierarchy[], cgroup: string): void {
  for (const { mountPoint, version } of hierarchies) {
    if (version === 2) continue;
    for (const folder of foldersBelow(join(mountPoint, cgroup))) thaw(join(folder, 'freezer.state'));
  }
}

function thaw(file: string): void {
  try {
    if (readFileSync(file, 'latin1') !== 'THAWED\n') writeFileSync(file, 'THAWED');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENODEV')) throw error; // of another hierarchy, or removed meanwhile
  }
}

/** Removes the group and its descendants. Throws EBUSY while a process is in it. */
export function removeGroups(hierarchies: readonly Hierarchy[], cgroup: string): void {
  for (const { mountPoint } of hierarchies) {
    for (const folder of foldersBelow(join(mountPoint, cgroup))) removeFolder(folder);
  }
}

/** Removes a group if it has no child groups and no processes. */
export function removeEmptyGroup(hierarchies: readonly Hierarchy[], cgroup: string): void {
  for (const { mountPoint } of hierarchies) removeFolder(join(mountPoint, cgroup), 'EBUSY');
}

function removeFolder(folder: string, ...accepted: string[]): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', ...accepted)) throw error;
  }
}
