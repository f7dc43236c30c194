/**
 * Processes in /proc: whether one is alive, which one is the containerd of a configuration file, which ones are shims.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot; identifies a process together with the pid, as pids are reused. */
  startTime: string;
}

/**
 * The process that runs as `… --config CONFIG` in this mount namespace: other mount namespaces (lab hosts) have a
 * containerd with the same command line. Found without a pid file, so that it is found after the daemon was killed at
 * any moment.
 */
export function findContainerd(configFile: string): ProcessIdentity | undefined {
  const found = pidsWith((words) => words[1] === '--config' && words[2] === configFile && words.length === 4);
  const own = found.find((pid) => !found.includes(parentOf(pid) ?? 0)); // a child of it that has not called exec yet
  return own === undefined ? undefined : identify(own);
}

/** The shims of one container below the containerd at `socket`: normally one. */
export function findShims(id: string, socket: string): ProcessIdentity[] {
  const follows = (words: readonly string[], flag: string, value: string): boolean =>
    words[words.indexOf(flag) + 1] === value;
  const found = pidsWith((words) => follows(words, '-id', id) && follows(words, '-address', socket));
  return found.flatMap((pid) => identify(pid) ?? []);
}

/** Kills the shims of one container, also a stopped one. containerd cleans up after them. */
export function endShims(id: string, socket: string): void {
  for (const { pid } of findShims(id, socket)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended by itself
    }
  }
}

/** Processes in this mount namespace whose command line matches. */
function pidsWith(isDesired: (words: readonly string[]) => boolean): number[] {
  const mounts = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isDesired(read(pid, 'cmdline')?.split('\0') ?? []) && linkOf(pid) === mounts);
}

/** undefined when there is no such process, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = statOf(pid);
  return stat === undefined || stat.state === 'Z' || stat.state === 'X'
    ? undefined
    : { pid, startTime: stat.startTime };
}

export const isRunning = (process: ProcessIdentity): boolean => identify(process.pid)?.startTime === process.startTime;

const parentOf = (pid: number): number | undefined => statOf(pid)?.parent;

/** proc(5), /proc/PID/stat; the second field may contain blanks and parentheses. */
function statOf(pid: number): { state: string; parent: number; startTime: string } | undefined {
  const text = read(pid, 'stat');
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // it ended meanwhile
  }
}

function linkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined; // it ended meanwhile, or may not be read
  }
}
