/**
 * Background programs of a lab host: its daemon and its services. Each becomes a child of the host's first process,
 * which reaps it; its pid and exit status are written below the host's /run.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, NetyardError } from '@netyard/core';
import { execInHost, type HostHandle } from './exec.ts';
import { isAlive } from './process-table.ts';

const pollIntervalMs = 5;
/** The pid file can be missing for ever, for instance when the host's /run is full. */
const startTimeoutMs = 60_000;

export interface BackgroundProgram {
  /** `daemon`, or a service's name; unique in the host. */
  name: string;
  command: readonly string[];
  /** Path of the log file on the machine; appended to. */
  log: string;
}

/** A program that was started. */
export interface StartedProgram {
  handle: HostHandle;
  program: BackgroundProgram;
  /** Distinguishes this start from others of the same program: a killed program may report its exit status late. */
  id: string;
}

/** Contains `PID ID` of the last start. */
const pidFile = (name: string): string => `/run/lab/${name}.pid`;
/** Receives the exit status. */
const exitFile = (name: string, id: string): string => `/run/lab/${name}-${id}.ended`;

/**
 * $1: pid file, $2: id of this start, $3: file for the exit status. The program leads a session of its own, so that it
 * can be killed with its children but without this script. Without a pid file nothing could end it later.
 */
const starter = `
pid=$1; id=$2; ended=$3; shift 3
setsid "$@" & child=$!
echo "$child $id" > "$pid" || kill -9 "$child"
wait $child
echo $? > "$ended"`;

/** Returns when the program runs, or has ended already; `exitReason` reports which. */
export async function startInBackground(handle: HostHandle, program: BackgroundProgram): Promise<StartedProgram> {
  const { name } = program;
  const started = { handle, program, id: randomUUID() };
  const files = [pidFile(name), started.id, exitFile(name, started.id)];
  const command = ['setsid', '--fork', 'sh', '-c', starter, 'sh', ...files, ...program.command];
  const log = openSync(program.log, 'a');
  try {
    const child = execInHost(handle, command, {
      environment: process.env,
      folder: '/',
      stdio: ['ignore', log, log],
      detached: true,
    });
    await exitOf(child);
  } finally {
    closeSync(log);
  }
  await waitForPid(started);
  return started;
}

/** The starter writes the pid file after its parent has ended; until then the file describes an earlier start. */
async function waitForPid(started: StartedProgram): Promise<void> {
  const { handle, program, id } = started;
  const deadline = Date.now() + startTimeoutMs;
  while (lastStart(handle, program.name)?.id !== id && isAlive(handle.init)) {
    if (Date.now() > deadline) throw programError(started, `was not started within ${startTimeoutMs / 1000} seconds`);
    await pause(pollIntervalMs);
  }
}

/** Describes why a program has ended; undefined while it runs. */
export function exitReason({ handle, program, id }: StartedProgram): string | undefined {
  const status = readInside(handle, exitFile(program.name, id))?.trim();
  if (status) return `ended with status ${status}`;
  return isAlive(handle.init) ? undefined : 'ended with its host';
}

/** An error about a program, with the end of its log. */
export function programError({ handle, program }: StartedProgram, failure: string): NetyardError {
  const log = readFileSync(program.log, 'utf8').trimEnd().split('\n').slice(-15);
  const message = `${program.name} of lab host ${handle.host} ${failure}. The end of its log:\n  ${log.join('\n  ')}`;
  return new NetyardError('unavailable', program.name === 'daemon' ? `the ${message}` : `service ${message}`);
}

/** Whether the program last started under this name is running. */
export function runsInBackground(handle: HostHandle, name: string): boolean {
  const last = lastStart(handle, name);
  if (last === undefined || readInside(handle, exitFile(name, last.id))) return false;
  const status = readInside(handle, `/proc/${last.pid}/stat`);
  return status !== undefined && !/\) [ZX] /.test(status);
}

/** Undefined before the first start, and while the pid file is being written. */
function lastStart(handle: HostHandle, name: string): { pid: string; id: string } | undefined {
  const [pid, id] = readInside(handle, pidFile(name))?.trim().split(' ') ?? [];
  return pid && id ? { pid, id } : undefined;
}

/**
 * Kills a program and its children with SIGKILL; returns when it has ended. Throws `conflict` when it is not running.
 */
export async function killInBackground(handle: HostHandle, name: string): Promise<void> {
  if (!runsInBackground(handle, name))
    throw new NetyardError('conflict', `${name} of lab host ${handle.lab}/${handle.host} is not running`);
  const command = ['sh', '-c', `read -r pid id < ${pidFile(name)} && kill -9 "-$pid"`];
  const child = execInHost(handle, command, { environment: process.env, folder: '/', stdio: 'ignore' });
  if ((await exitOf(child)) !== 0) throw new NetyardError('failed', `cannot kill ${name} of lab host ${handle.host}`);
  while (runsInBackground(handle, name)) await pause(pollIntervalMs);
}

/** Path on the machine of a file inside a host. */
export const outsidePath = (handle: HostHandle, path: string): string => `/proc/${handle.init.pid}/root${path}`;

function readInside(handle: HostHandle, path: string): string | undefined {
  try {
    return readFileSync(outsidePath(handle, path), 'utf8');
  } catch {
    return undefined; // not written yet, or its process or host has ended
  }
}

function exitOf(child: ReturnType<typeof execInHost>): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new NetyardError('failed', messageOf(error), { cause: error })));
    child.once('exit', (code) => resolve(code));
  });
}
