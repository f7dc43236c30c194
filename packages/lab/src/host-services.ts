/** Starts the services of a lab host and waits until they are ready. */
import { setTimeout as pause } from 'node:timers/promises';
import { exitReason, programError, type StartedProgram, startInBackground } from './background.ts';
import type { LabHost, LabService } from './definition.ts';
import { execInHost, type HostHandle } from './exec.ts';
import { serviceLog } from './layout.ts';
import { fillIn } from './service.ts';

const timeoutMs = 60_000;
const pollIntervalMs = 100;
/** A service without a readiness check has this long to fail at once, for instance on an invalid option. */
const graceMs = 250;

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
  if (service.ready !== undefined) return waitUntilReady(started, fillIn(service.ready, handle.lab, host), signal);
  await pause(graceMs);
  const reason = exitReason(started);
  if (reason !== undefined) throw programError(started, reason);
}

async function waitUntilReady(started: StartedProgram, ready: string, signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if (await succeeds(started.handle, ready)) return;
    const reason = exitReason(started);
    if (reason !== undefined) throw programError(started, reason);
    await pause(pollIntervalMs);
  }
  throw programError(started, `was not ready within ${timeoutMs / 1000} seconds`);
}

function succeeds(handle: HostHandle, line: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = execInHost(handle, ['sh', '-c', line], { environment: process.env, folder: '/', stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}
