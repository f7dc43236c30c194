/** Processes by pid, told apart from later ones with the same number by the time they started. */
import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '@netyard/kernel';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after the machine started: field 22 of /proc/PID/stat. */
  startTime: string;
}

interface ProcessStatus {
  state: string;
  parent: number;
  startTime: string;
}

/** /proc/PID/stat; undefined when there is no such process. The second field, in brackets, may hold anything. */
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

/** Whether just this process still runs; one that only waits to be reaped does not. */
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

/** Of several pids those that run, zombies left out. */
export function running(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const status = readStatus(pid);
    return status !== undefined && !'ZX'.includes(status.state);
  });
}

/** Whether a process lives in a process namespace below ours: it has more than one pid there. */
export function isInOtherPidNamespace(pid: number): boolean {
  try {
    return /^NSpid:\t\d+\t\d+/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}
