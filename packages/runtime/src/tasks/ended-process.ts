/**
 * Determines whether a container's process has ended, after a call about it failed: the OCI runtimes report that in a
 * different text for each call (`container not running`, `cgroup deleted`, an exit status alone), so its state decides.
 */
import { readFile } from 'node:fs/promises';
import { NetyardError } from '@netyard/core';
import { type Process, Status } from '../containerd/gen/task_types_pb.ts';
import type { Calls } from './calls.ts';

/** containerd's report of a process; undefined: there is no such process. */
type ReportedProcess = Pick<Process, 'status' | 'pid'> | undefined;

/** `execId` is '' for the container's main process. */
export async function readProcess(calls: Calls, id: string, execId: string): Promise<Process | undefined> {
  try {
    const answer = await calls.repeatable(`read the task of ${id}`, () =>
      calls.client.tasks.get({ containerId: id, execId }),
    );
    return answer.process;
  } catch (error) {
    if (error instanceof NetyardError && error.code === 'not-found') return undefined;
    throw error;
  }
}

/**
 * Converts the failure to `conflict` when the process has ended. The shim learns of an exit after the kernel: a process
 * that it reports as running may already be a zombie, see proc_pid_stat(5).
 */
export async function explainEnded(error: unknown, report: () => Promise<ReportedProcess>): Promise<unknown> {
  if (!(error instanceof NetyardError) || error.code !== 'failed') return error;
  const process = await report().catch(() => 'unknown' as const);
  if (process === 'unknown' || !(await hasEnded(process))) return error;
  return new NetyardError('conflict', `the process has ended: ${error.message}`, { cause: error });
}

async function hasEnded(process: ReportedProcess): Promise<boolean> {
  if (process === undefined || process.status === Status.STOPPED) return true;
  if (process.status === Status.UNKNOWN || process.pid <= 1) return false;
  return isGone(await readFile(`/proc/${process.pid}/stat`, 'utf8').catch(() => ''));
}

/** The code with which a zombie ended, from the text of its stat file; undefined for any other process. Pure. */
export function exitCodeIn(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] !== 'Z') return undefined;
  const status = Number(fields[exitCodeField]);
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/** `exit_code`, in waitpid's form, counted after the command's name. */
const exitCodeField = 49;

/** PF_EXITING of include/linux/sched.h: set when a process begins to exit, before it is a zombie. */
const exitingFlag = 0x4;

/** From the text of a stat file, '' if missing; the command's name may contain anything. Pure. */
export function isGone(stat: string): boolean {
  if (stat === '') return true;
  // state ppid pgrp session tty_nr tpgid flags
  const [state = '', , , , , , flags = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return /^[ZXx]$/.test(state) || (Number(flags) & exitingFlag) !== 0;
}
