/**
 * Programs that a lab host runs by itself: its daemon and its services. Each is left to the host's first process, which
 * reaps it; its pid and how it ended are written below the host's /run.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, NetyardError } from '@netyard/core';
import { execInHost, type HostHandle } from './exec.ts';
import { isAlive } from './process-table.ts';

export interface BackgroundProgram {
  /** `daemon`, or a service's name; unique in its host. */
  name: string;
  command: readonly string[];
  /** Added to; on the machine. */
  log: string;
}

/** One that was started. */
export interface Started {
  handle: HostHandle;
  program: BackgroundProgram;
  /** Inside the host: holds its exit status once it has ended. */
  ended: string;
}

const pidFile = (name: string): string => `/run/lab/${name}.pid`;

/**
 * $1: pid file, $2: where its end is told. The program leads a session of its own, so that it can be ended with its
 * children, without the teller. Who ended late must not take away the pid of the next one.
 */
const starter = `
pid=$1; ended=$2; shift 2
setsid "$@" & child=$!
echo $child > "$pid"
wait $child; status=$?
[ "$(cat "$pid")" != $child ] || rm -f "$pid"
echo $status > "$ended"`;

/** Returns as soon as it runs; `whyNot` tells whether it still does. */
export async function startInBackground(handle: HostHandle, program: BackgroundProgram): Promise<Started> {
  // Each start has its own: one that was killed may be late to tell.
  const ended = `/run/lab/${program.name}-${randomUUID()}.ended`;
  const command = ['setsid', '--fork', 'sh', '-c', starter, 'sh', pidFile(program.name), ended, ...program.command];
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
  return { handle, program, ended };
}

/** Why a program does not run any more, in words; undefined while it does. */
export function whyNot({ handle, ended }: Started): string | undefined {
  const status = readInside(handle, ended)?.trim();
  if (status) return `ended with status ${status}`;
  return isAlive(handle.init) ? undefined : 'went down with its host';
}

/** An error that tells what happened to a program, with the end of its log. */
export function broken({ handle, program }: Started, what: string): NetyardError {
  const log = readFileSync(program.log, 'utf8').trimEnd().split('\n').slice(-15);
  const message = `${program.name} of lab host ${handle.host} ${what}. The end of its log:\n  ${log.join('\n  ')}`;
  return new NetyardError('unavailable', program.name === 'daemon' ? `the ${message}` : `service ${message}`);
}

/** Whether the last one started under this name runs. */
export function runsInBackground(handle: HostHandle, name: string): boolean {
  const pid = readInside(handle, pidFile(name))?.trim();
  const status = pid === undefined ? undefined : readInside(handle, `/proc/${pid}/stat`);
  return status !== undefined && !/\) [ZX] /.test(status);
}

/** As `kill -9` of it and its children; returns when it is gone. Throws `conflict` when it does not run. */
export async function killInBackground(handle: HostHandle, name: string): Promise<void> {
  if (!runsInBackground(handle, name))
    throw new NetyardError('conflict', `${name} of lab host ${handle.lab}/${handle.host} does not run`);
  const command = ['sh', '-c', `kill -9 "-$(cat ${pidFile(name)})"`];
  const child = execInHost(handle, command, { environment: process.env, folder: '/', stdio: 'ignore' });
  if ((await exitOf(child)) !== 0) throw new NetyardError('internal', `could not kill ${name} of ${handle.host}`);
  while (runsInBackground(handle, name)) await pause(5);
}

/** Path of a file inside a host, seen from outside. */
export const seenFromOutside = (handle: HostHandle, path: string): string => `/proc/${handle.init.pid}/root${path}`;

function readInside(handle: HostHandle, path: string): string | undefined {
  try {
    return readFileSync(seenFromOutside(handle, path), 'utf8');
  } catch {
    return undefined; // not written yet, or gone with its process or host
  }
}

function exitOf(child: ReturnType<typeof execInHost>): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new NetyardError('internal', messageOf(error), { cause: error })));
    child.once('exit', (code) => resolve(code));
  });
}
