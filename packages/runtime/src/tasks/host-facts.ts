/** Reads the facts about this host and about the container's own files that `planSpec` needs. Makes no decisions. */
import {
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { defaultMaskedPaths, NetyardError } from '@netyard/core';
import type { TaskResources, TaskSpec } from '@netyard/engine';
import { hasErrno, O_PATH, openInRoot, openOnSameMount } from '@netyard/kernel';
import { holdProcess } from '../rootfs/container-process.ts';
import { atFd, isMountPoint, withFd } from '../rootfs/root-paths.ts';
import { parseCapabilityMask } from '../spec/capabilities.ts';
import type { HostDevice, RequestedDevice } from '../spec/devices.ts';
import type { BlockDevices } from '../spec/limits.ts';
import { checkDevicePermissions } from '../spec/plan.ts';
import type { UserFiles } from '../spec/user.ts';
import { findExecutable } from './runtimes.ts';

/** Capabilities that this process could grant at all: capabilities(7), bounding set. */
export function readBoundingSet(): string[] {
  const mask = /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return parseCapabilityMask(mask);
}

export const readOomScoreAdj = (): number => Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));

const cpuFolder = '/sys/devices/system/cpu';

export const findThermalPaths = (): string[] =>
  readdirSync(cpuFolder)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => join(cpuFolder, name, 'thermal_throttle'))
    .filter((path) => existsSync(path));

/** A directory of procfs or sysfs that is masked by default, which each container has at the same path as the host. */
export const isKernelFolder = (path: string): boolean =>
  (defaultMaskedPaths.includes(path) || path.startsWith(`${cpuFolder}/`)) &&
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Programs for `--init`, by the names that distributions give a static tini. */
const initNames = ['docker-init', 'tini-static', 'catatonit'];

export function findInit(searchPath: string): string {
  const more = '/usr/libexec/docker:/usr/lib/docker:/usr/libexec/podman';
  const found = initNames.flatMap((name) => findExecutable(name, `${searchPath}:${more}`) ?? []);
  if (found[0] !== undefined) return found[0];
  throw new NetyardError('invalid', 'exec: "docker-init": executable file not found in $PATH', {
    hint: 'install a static tini on the host (Debian: apt install tini)',
  });
}

const largestUserFile = 4 * 1024 * 1024;

/** /etc/passwd and /etc/group of a root file system. Symbolic links in it are resolved inside the root. */
export function readUserFiles(root: string | number): UserFiles {
  return readUsers((path) => openInRoot(root, path, O_PATH));
}

/**
 * The same of a running container. What is mounted there, such as /etc/passwd of the host, counts as little as at the
 * start and in Docker. Throws `conflict` when its process has ended.
 *
 * @param rootPath where its root was mounted on the host, and perhaps still is
 */
export async function readRunningUserFiles(id: string, pid: number, rootPath: string): Promise<UserFiles> {
  if (isMountPoint(rootPath)) return readUserFiles(rootPath);
  const process = holdProcess(id, pid);
  try {
    const root = process?.openRoot();
    const files = root === undefined ? undefined : withFd(root, readUnmounted);
    if (files) return files;
    const tree = await process?.openTree();
    if (tree !== undefined) return withFd(tree, readUserFiles);
  } finally {
    process?.close();
  }
  throw new NetyardError('conflict', `the process of ${id} has ended`);
}

/** Undefined where something is mounted on one of the files, or above it. */
function readUnmounted(root: number): UserFiles | undefined {
  try {
    return readUsers((path) => openOnSameMount(root, path, O_PATH));
  } catch (error) {
    if (hasErrno(error, 'EXDEV')) return undefined;
    throw error;
  }
}

function readUsers(open: (path: string) => number): UserFiles {
  return { passwd: readFrom(() => open('/etc/passwd')), group: readFrom(() => open('/etc/group')) };
}

/**
 * '' for a file that is missing, too large or not regular. The path is opened with O_PATH first: opening a FIFO or a
 * device node of an image would block or act on the device.
 */
function readFrom(open: () => number): string {
  let held: number;
  try {
    held = open();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return '';
    throw error;
  }
  return withFd(held, () => {
    if (!fstatSync(held).isFile()) return '';
    return withFd(openSync(atFd(held), constants.O_RDONLY | constants.O_NONBLOCK), readBounded);
  });
}

function readBounded(fd: number): string {
  const { size } = fstatSync(fd);
  if (size > largestUserFile) return '';
  const content = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, content, length, size - length, null);
    if (count === 0) break;
    length += count;
  }
  return content.toString('utf8', 0, length);
}

/** Devices of `--device`; with `--privileged` also all of the host's. Throws `invalid` for a path that is no device. */
export function findDevices(spec: Pick<TaskSpec, 'devices' | 'privileged'>): RequestedDevice[] {
  const requested = spec.devices.flatMap(({ pathOnHost, pathInContainer, permissions }) => {
    checkDevicePermissions(permissions);
    return lookUp(pathOnHost).map((host) => ({
      host,
      pathInContainer: join(pathInContainer, host.path.slice(pathOnHost.length)),
      permissions,
    }));
  });
  if (!spec.privileged) return requested;
  const taken = new Set(requested.map(({ pathInContainer }) => pathInContainer));
  const all = below('/dev').filter(({ path }) => !taken.has(path));
  return [...requested, ...all.map((host) => ({ host, pathInContainer: host.path, permissions: 'rwm' }))];
}

function lookUp(path: string): HostDevice[] {
  const complain = (reason: string): NetyardError =>
    new NetyardError('invalid', `error gathering device information while adding custom device "${path}": ${reason}`);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw complain('no such file or directory');
  if (stat.isDirectory()) {
    const inside = below(path);
    if (inside.length === 0) throw complain('not a device node');
    return inside;
  }
  const device = asDevice(path, stat);
  if (!device) throw complain('not a device node');
  return [device];
}

/** Device numbers for the limits of single devices. Throws `invalid` for a missing device, as Docker does at start. */
export function findBlockDevices(resources: TaskResources): BlockDevices {
  const { weightDevices, readBytesPerSecond, writeBytesPerSecond, readsPerSecond, writesPerSecond } = resources;
  const all = [weightDevices, readBytesPerSecond, writeBytesPerSecond, readsPerSecond, writesPerSecond];
  const paths = new Set(all.flatMap((limits) => (limits ?? []).map(({ path }) => path)));
  return new Map(
    [...paths].map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (!stat) throw new NetyardError('invalid', `stat ${path}: no such file or directory`);
      return [path, deviceNumbers(stat.rdev)];
    }),
  );
}

/** aa-enabled(1) */
export function hasAppArmor(): boolean {
  const file = '/sys/module/apparmor/parameters/enabled';
  return existsSync(file) && readFileSync(file, 'latin1').startsWith('Y');
}

/** File systems of their own, or directories that every container has of its own; as in libcontainer. */
const skippedFolders = ['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'];

function below(folder: string): HostDevice[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): HostDevice[] => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skippedFolders.includes(entry.name) ? [] : below(path);
    if (path === '/dev/console' || !(entry.isBlockDevice() || entry.isCharacterDevice())) return [];
    const stat = statSync(path, { throwIfNoEntry: false });
    const device = stat && asDevice(path, stat);
    return device ? [device] : [];
  });
}

function asDevice(path: string, stat: Stats): HostDevice | undefined {
  if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return undefined;
  const type = stat.isBlockDevice() ? 'b' : 'c';
  return { path, type, ...deviceNumbers(stat.rdev), mode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}

/** glibc's gnu_dev_major and gnu_dev_minor, for numbers below 2^32. */
function deviceNumbers(device: number): { major: number; minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}
