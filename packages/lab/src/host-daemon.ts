/** Starts `netyard daemon` in a lab host and waits until it responds. */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { exitReason, outsidePath, programError, type StartedProgram, startInBackground } from './background.ts';
import type { LabHost } from './definition.ts';
import type { HostHandle } from './exec.ts';
import { execRootInside, hostLayout, netyardProgram, socketInside } from './layout.ts';

/** Timeout of a daemon's start; on a loaded machine it takes a few seconds. */
const timeoutMs = 60_000;
const pollIntervalMs = 25;

/** The daemon's command line. Pure. */
export function daemonCommand(lab: string, host: LabHost): string[] {
  return [
    netyardProgram,
    'daemon',
    ...(host.bip === undefined ? [] : ['--bip', host.bip]),
    ...['--data-root', hostLayout(lab, host.name).data, '--exec-root', execRootInside],
    ...['-H', `unix://${socketInside}`],
    ...host.daemonOptions,
  ];
}

/**
 * Starts the daemon; returns when its socket responds. Throws `unavailable` with the end of its log, or the signal's
 * reason.
 */
export async function startDaemon(handle: HostHandle, host: LabHost, signal?: AbortSignal): Promise<void> {
  const started = await startInBackground(handle, {
    name: 'daemon',
    command: daemonCommand(handle.lab, host),
    log: hostLayout(handle.lab, handle.host).daemonLog,
  });
  await waitForDaemon(started, signal);
}

async function waitForDaemon(started: StartedProgram, signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if (await answers(started.handle)) return;
    const reason = exitReason(started);
    if (reason !== undefined) throw programError(started, reason);
    await pause(pollIntervalMs);
  }
  throw programError(started, `did not respond within ${timeoutMs / 1000} seconds`);
}

/** Whether the host's daemon responds to `GET /_ping`. */
export function answers(handle: HostHandle): Promise<boolean> {
  return new Promise((resolve) => {
    let response = '';
    const socket = connect({ path: outsidePath(handle, socketInside) });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('utf8').setTimeout(5000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('end', () => end(response.startsWith('HTTP/1.1 200')));
    socket.on('data', (text) => {
      response += text;
      if (response.length >= 12) end(response.startsWith('HTTP/1.1 200'));
    });
    socket.write('GET /_ping HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n');
  });
}
