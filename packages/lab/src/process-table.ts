/** Processes by pid, distinguished by their start time from later ones with the same pid. */
import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '@netyard/kernel';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot: field 22 of /proc/PID/stat. */
  startTime: string;
}

interface ProcessStatus {
  state: string;
  parent: number;
  startTime: string;
}

/**
 * Reads /proc/PID/stat; undefined when the process does not exist. The second field, in parentheses, may contain any
 * characters.
 */
function readStatus(pid: number): ProcessStatus | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
}

export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const status = readStatus(pid);
  return status === undefined ? undefined : { pid, startTime: status.startTime };
}

/** Whether exactly this process is still running; a zombie is not. */
export function isAlive(process: ProcessIdentity): boolean {
  const status = readStatus(process.pid);
  return status !== undefined && status.startTime === process.startTime && !'ZX'.includes(status.state);
}

export function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => readStatus(pid)?.parent === parent);
}

/** Those of the pids that are running; zombies are omitted. */
export function running(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const status = readStatus(pid);
    return status !== undefined && !'ZX'.includes(status.state);
  });
}

/** Whether a process is in a nested PID namespace: it then has more than one pid. */
export function isInOtherPidNamespace(pid: number): boolean {
  try {
    return /^NSpid:\t\d+\t\d+/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
