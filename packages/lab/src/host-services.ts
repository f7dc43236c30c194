/** Starts what a lab host runs beside its daemon, and waits until it is of use. */
import { setTimeout as pause } from 'node:timers/promises';
import { broken, type Started, startInBackground, whyNot } from './background.ts';
import type { LabHost, LabService } from './definition.ts';
import { execInHost, type HostHandle } from './exec.ts';
import { serviceLog } from './layout.ts';
import { fillIn } from './service.ts';

const patienceMs = 60_000;
const askEveryMs = 100;
/** A service that does not tell when it is of use is given this long to fail at once, over a wrong option. */
const trialMs = 250;

/** Throws `unavailable` with the end of the service's log, or the signal's reason. */
export async function startServices(handle: HostHandle, host: LabHost, signal?: AbortSignal): Promise<void> {
  await Promise.all((host.services ?? []).map((service) => startService(handle, host, service, signal)));
}

export async function startService(
  handle: HostHandle,
  host: LabHost,
  service: LabService,
  signal?: AbortSignal,
): Promise<void> {
  const started = await startInBackground(handle, {
    name: service.name,
    command: ['sh', '-c', fillIn(service.run, handle.lab, host)],
    log: serviceLog(handle.lab, host.name, service.name),
  });
  if (service.ready !== undefined) return isOfUse(started, fillIn(service.ready, handle.lab, host), signal);
  await pause(trialMs);
  const reason = whyNot(started);
  if (reason !== undefined) throw broken(started, reason);
}

async function isOfUse(started: Started, ready: string, signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if (await succeeds(started.handle, ready)) return;
    const reason = whyNot(started);
    if (reason !== undefined) throw broken(started, reason);
    await pause(askEveryMs);
  }
  throw broken(started, `was not ready within ${patienceMs / 1000} seconds`);
}

function succeeds(handle: HostHandle, line: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = execInHost(handle, ['sh', '-c', line], { environment: process.env, folder: '/', stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}
