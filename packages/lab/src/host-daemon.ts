/** Starts `netyard daemon` in a lab host and waits until it answers. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import type { LabHost } from './definition.ts';
import { enterHost, type HostHandle } from './enter.ts';
import { execRootInside, hostPlaces, netyardProgram, socketInside } from './places.ts';
import { isAlive } from './process-table.ts';

/** How long a daemon may take before it is called broken; a loaded machine needs a few seconds. */
const patienceMs = 60_000;
const askEveryMs = 25;

/** The daemon's command line. Pure. */
export function daemonCommand(lab: string, host: LabHost): string[] {
  return [
    netyardProgram,
    'daemon',
    ...(host.bip === undefined ? [] : ['--bip', host.bip]),
    ...['--data-root', hostPlaces(lab, host.name).data, '--exec-root', execRootInside],
    ...['-H', `unix://${socketInside}`],
    ...host.daemonOptions,
  ];
}

/**
 * The starter leaves the daemon to the host's first process, which reaps it, and writes down how it ended if it does
 * before anybody asked.
 */
const starter = 'ended=$1; shift; "$@" & wait $!; echo $? > "$ended"';

/** Starts it; returns when its socket answers. Throws `unavailable` with the end of its log. */
export async function startDaemon(handle: HostHandle, host: LabHost): Promise<void> {
  const { daemonLog } = hostPlaces(handle.lab, handle.host);
  const ended = `/run/lab/ended-${randomUUID()}`; // each start its own: one that was killed may be late to tell
  const log = openSync(daemonLog, 'a');
  const command = ['setsid', '--fork', 'sh', '-c', starter, 'sh', ended, ...daemonCommand(handle.lab, host)];
  try {
    const child = enterHost(handle, command, {
      environment: process.env,
      folder: '/',
      stdio: ['ignore', log, log],
      detached: true,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => resolve());
    });
  } finally {
    closeSync(log);
  }
  await daemonAnswers(handle, ended);
}

/** Path of a file inside a host, seen from outside. */
const seenFromOutside = (handle: HostHandle, path: string): string => `/proc/${handle.init.pid}/root${path}`;

async function daemonAnswers(handle: HostHandle, ended: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    if (await answers(handle)) return;
    const status = endStatus(handle, ended);
    if (status !== undefined) throw broken(handle, `ended with status ${status}`);
    if (!isAlive(handle.init)) throw broken(handle, 'went down with its host');
    await pause(askEveryMs);
  }
  throw broken(handle, `did not answer within ${patienceMs / 1000} seconds`);
}

function endStatus(handle: HostHandle, ended: string): string | undefined {
  try {
    return readFileSync(seenFromOutside(handle, ended), 'utf8').trim() || undefined;
  } catch {
    return undefined; // not written: it runs
  }
}

function broken(handle: HostHandle, what: string): NetyardError {
  const log = readFileSync(hostPlaces(handle.lab, handle.host).daemonLog, 'utf8').trimEnd().split('\n').slice(-15);
  const message = `the daemon of lab host ${handle.host} ${what}. The end of its log:\n  ${log.join('\n  ')}`;
  return new NetyardError('unavailable', message);
}

/** Whether the host's daemon answers `GET /_ping`. */
export function answers(handle: HostHandle): Promise<boolean> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ path: seenFromOutside(handle, socketInside) });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8').setTimeout(5000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('end', () => end(said.startsWith('HTTP/1.1 200')));
    socket.on('data', (text) => {
      said += text;
      if (said.length >= 12) end(said.startsWith('HTTP/1.1 200'));
    });
    socket.write('GET /_ping HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n');
  });
}
