/**
 * A container's main process, held by a descriptor of its folder in /proc: once the process has ended, nothing is found
 * below it, and never another process with the same id.
 */
import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { hasErrno, NamespaceRoots, O_PATH } from '@netyard/kernel';
import { atFd } from './root-paths.ts';

export interface ContainerProcess {
  /** The path of its root directory, with what is mounted there; for `openInRoot`. Leads nowhere when it has ended. */
  root: string;
  /** A descriptor of the same. Undefined when the process has ended. */
  openRoot(): number | undefined;
  /**
   * The root of its mount namespace without what is mounted there, as a descriptor. Undefined when the process has ended. It
   * keeps the file system in use until it is closed, also after the container's end.
   */
  openTree(): Promise<number | undefined>;
  close(): void;
}

/** One thread for all: the copies are short steps. */
const roots = new NamespaceRoots();

/** Undefined when the process has ended, or is not the container's. */
export function holdProcess(containerId: string, pid: number): ContainerProcess | undefined {
  if (pid <= 1) return undefined;
  const folder = ifAlive(() => openSync(`/proc/${pid}`, O_PATH | constants.O_DIRECTORY));
  if (folder === undefined) return undefined;
  const path = atFd(folder);
  if (!ifAlive(() => isOf(containerId, path))) {
    closeSync(folder);
    return undefined;
  }
  return {
    root: `${path}/root`,
    openRoot: () => ifAlive(() => openSync(`${path}/root`, O_PATH | constants.O_DIRECTORY)),
    openTree: () => openTree(path),
    close: () => closeSync(folder),
  };
}

async function openTree(process: string): Promise<number | undefined> {
  const namespace = ifAlive(() => openSync(`${process}/ns/mnt`, constants.O_RDONLY));
  if (namespace === undefined) return undefined;
  try {
    return await roots.open(namespace);
  } finally {
    closeSync(namespace);
  }
}

/** By its cgroup, as `signalProcess` decides; a privileged process may have left it: then by the shim that started it. */
function isOf(containerId: string, process: string): boolean {
  if (readFileSync(`${process}/cgroup`, 'utf8').includes(containerId)) return true;
  const stat = readFileSync(`${process}/stat`, 'utf8');
  const [, parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return isOnHost(`/proc/${parent}`) && readFileSync(`/proc/${parent}/cmdline`, 'utf8').includes(containerId);
}

/** Its root directory is the daemon's. In another container, a process can have any words in its command line. */
function isOnHost(process: string): boolean {
  const [theirs, ours] = [statSync(`${process}/root`), statSync('/')];
  return theirs.dev === ours.dev && theirs.ino === ours.ino;
}

function ifAlive<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
