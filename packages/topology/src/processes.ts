/** The processes that this one can see, and their network namespaces. See proc_pid_ns(5), proc_pid_stat(5). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { TimeSlice } from '@netyard/core';

export interface NamespaceProcess {
  pid: number;
  name: string;
  /** Of its network namespace: inode number. */
  namespaceId: string;
}

export interface ProcessList {
  processes: NamespaceProcess[];
  /** Processes of which this one may not read the namespace. */
  hidden: number;
}

/** The kernel's own threads have this ancestor, and belong to the initial namespace. */
const kernelThreads = 2;

export async function listProcesses(): Promise<ProcessList> {
  const list: ProcessList = { processes: [], hidden: 0 };
  const slice = new TimeSlice();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const process = readProcess(Number(entry));
    if (process === 'hidden') list.hidden += 1;
    else if (process !== undefined) list.processes.push(process);
    if (slice.isOver) await slice.next();
  }
  return list;
}

/** Undefined for one that ended meanwhile, and for threads of the kernel. */
function readProcess(pid: number): NamespaceProcess | 'hidden' | undefined {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (stat === undefined || pid === kernelThreads || stat.parent === kernelThreads) return undefined;
    const namespaceId = parseNamespaceLink(readlinkSync(`/proc/${pid}/ns/net`));
    return namespaceId === undefined ? undefined : { pid, name: stat.name, namespaceId };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : undefined;
  }
}

/** `12 (a name (with anything)) S 1 …`: name and parent. Pure. */
export function parseStat(text: string): { name: string; parent: number } | undefined {
  const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(text) ?? [];
  return name === undefined ? undefined : { name, parent: Number(parent) };
}

/** `net:[4026531840]`. Pure. */
export const parseNamespaceLink = (text: string): string | undefined => /^net:\[(\d+)\]$/.exec(text)?.[1];

/** Whose namespace the host's is: that of the first process, or the own one where that must not be read. */
export function hostNamespace(): { id: string; path: string } {
  for (const path of ['/proc/1/ns/net', '/proc/self/ns/net'])
    try {
      const id = parseNamespaceLink(readlinkSync(path));
      if (id !== undefined) return { id, path };
    } catch {
      // the next one
    }
  throw new Error('/proc/self/ns/net cannot be read');
}

/** Processes by the inode number of a socket that they have open. */
export type SocketOwners = ReadonlyMap<number, { pid: number; name: string }>;

/**
 * Which process has each socket open (`/proc/PID/fd`, proc_pid_fd(5)). Ends as soon as all are found. `inodes`: numbers of
 * sockets.
 */
export async function findSocketProcesses(
  inodes: ReadonlySet<number>,
  processes: readonly { pid: number; name: string }[],
): Promise<SocketOwners> {
  const found = new Map<number, { pid: number; name: string }>();
  const slice = new TimeSlice();
  for (const { pid, name } of processes) {
    if (found.size === inodes.size) break;
    for (const inode of socketsOf(pid)) if (inodes.has(inode) && !found.has(inode)) found.set(inode, { pid, name });
    if (slice.isOver) await slice.next();
  }
  return found;
}

function* socketsOf(pid: number): Generator<number> {
  const folder = `/proc/${pid}/fd`;
  try {
    for (const fd of readdirSync(folder)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`${folder}/${fd}`))?.[1];
      if (inode !== undefined) yield Number(inode);
    }
  } catch {
    // ended meanwhile, or not permitted: its sockets stay without a process
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
