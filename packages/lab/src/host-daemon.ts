/** Starts `netyard daemon` in a lab host and waits until it answers. */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { broken, type Started, seenFromOutside, startInBackground, whyNot } from './background.ts';
import type { LabHost } from './definition.ts';
import type { HostHandle } from './exec.ts';
import { execRootInside, hostLayout, netyardProgram, socketInside } from './layout.ts';

/** How long a daemon may take before it is called broken; a loaded machine needs a few seconds. */
const patienceMs = 60_000;
const askEveryMs = 25;

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

/** Starts it; returns when its socket answers. Throws `unavailable` with the end of its log, or the signal's reason. */
export async function startDaemon(handle: HostHandle, host: LabHost, signal?: AbortSignal): Promise<void> {
  const started = await startInBackground(handle, {
    name: 'daemon',
    command: daemonCommand(handle.lab, host),
    log: hostLayout(handle.lab, handle.host).daemonLog,
  });
  await daemonAnswers(started, signal);
}

async function daemonAnswers(started: Started, signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if (await answers(started.handle)) return;
    const reason = whyNot(started);
    if (reason !== undefined) throw broken(started, reason);
    await pause(askEveryMs);
  }
  throw broken(started, `did not answer within ${patienceMs / 1000} seconds`);
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
