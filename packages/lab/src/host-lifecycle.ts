/**
 * Power failure and boot of hosts of a running lab, and of their single programs.
 *
 * A host keeps its files: its data, its /etc, and its services' data. /run, mounts, namespaces, processes and links end
 * with it, as in a reboot.
 */
import { NetyardError } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import { killInBackground, runsInBackground } from './background.ts';
import { readHierarchies } from './cgroups.ts';
import { endGroup } from './down.ts';
import { createHost } from './host.ts';
import { startDaemon } from './host-daemon.ts';
import { startService, startServices } from './host-services.ts';
import { hostLayout, namespacesOf } from './layout.ts';
import { planCable, planHostLinks, planPorts } from './link-plan.ts';
import { type FoundHost, findHost, findLabHost } from './list.ts';
import { isAlive, type ProcessIdentity } from './process-table.ts';
import { readHostState, withHost, writeHostState } from './state.ts';

/**
 * Kills all processes of `[LAB/]HOST` at once, or `[LAB/]HOST:PROGRAM`: a service or the daemon. Throws `conflict` when
 * it is not running.
 */
export async function killHost(target: string): Promise<void> {
  const { host: name, program } = parseTarget(target);
  const found = findLabHost(name);
  const lab = found.state.lab.name;
  await withHost(lab, found.host.name, async () => {
    if (program !== undefined) {
      checkProgram(found, program);
      return killInBackground(findHost(`${lab}/${found.host.name}`), program);
    }
    const saved = readHostState(lab, found.host.name);
    if (saved?.init === undefined)
      throw new NetyardError('conflict', `lab host ${lab}/${found.host.name} is not running`);
    await powerOff(found);
    writeHostState(lab, found.host.name, { cut: saved.cut });
  });
}

/** The cables first: a host that loses power sends no goodbye to its neighbours. */
async function powerOff({ state, host }: FoundHost): Promise<void> {
  const lab = state.lab;
  const kernel = openKernel();
  try {
    const noHost = (): never => {
      throw new NetyardError('internal', 'removing a port must not need its host');
    };
    await kernel.remove(planPorts(lab, host, namespacesOf(lab.name, noHost)));
  } finally {
    kernel.close();
  }
  await endGroup(readHierarchies(), hostLayout(lab.name, host.name).cgroup);
}

/**
 * Starts a killed `[LAB/]HOST` with its files, or `[LAB/]HOST:PROGRAM` in a running host. Throws `conflict` when it is
 * running already. When a daemon or service fails to start, throws and keeps the host running.
 */
export async function startHost(target: string, signal: AbortSignal): Promise<void> {
  const { host: name, program } = parseTarget(target);
  const found = findLabHost(name);
  const lab = found.state.lab.name;
  await withHost(lab, found.host.name, () =>
    program === undefined ? powerOn(found, signal) : startProgram(found, program, signal),
  );
}

async function powerOn(found: FoundHost, signal: AbortSignal): Promise<void> {
  const { state, host } = found;
  const lab = state.lab.name;
  const saved = readHostState(lab, host.name) ?? { cut: [] };
  if (saved.init && isAlive(saved.init))
    throw new NetyardError('conflict', `lab host ${lab}/${host.name} is already running`);
  await powerOff(found); // a host that ended by itself may have left objects behind
  const init = await bootHost(found, saved.cut);
  const handle = { lab, host: host.name, init };
  await startServices(handle, host, signal);
  if (host.daemon) await startDaemon(handle, host, signal);
}

/** Boots the host with its cables, some still cut; removes it when that fails. */
async function bootHost(found: FoundHost, cut: readonly string[]): Promise<ProcessIdentity> {
  const { lab } = found.state;
  const { host } = found;
  const kernel = openKernel();
  try {
    const init = await createHost(lab, host, readHierarchies());
    writeHostState(lab.name, host.name, { init, cut: [...cut] });
    const namespaces = namespacesOf(lab.name, () => init);
    await kernel.apply(planHostLinks(lab, host, namespaces));
    for (const uplink of host.uplinks.filter((one) => cut.includes(one.switch)))
      await kernel.apply(planCable(lab, uplink, namespaces, 'down'));
    return init;
  } catch (error) {
    await powerOff(found);
    writeHostState(lab.name, host.name, { cut: [...cut] });
    throw error;
  } finally {
    kernel.close();
  }
}

async function startProgram(found: FoundHost, program: string, signal: AbortSignal): Promise<void> {
  checkProgram(found, program);
  const { host } = found;
  const handle = findHost(`${found.state.lab.name}/${host.name}`);
  if (runsInBackground(handle, program))
    throw new NetyardError('conflict', `${program} of lab host ${handle.lab}/${host.name} is already running`);
  const service = host.services?.find((one) => one.name === program);
  if (service) await startService(handle, host, service, signal);
  else await startDaemon(handle, host, signal);
}

function parseTarget(target: string): { host: string; program?: string } {
  const [host = '', program] = target.split(':');
  return program === undefined ? { host } : { host, program };
}

function checkProgram({ state, host }: FoundHost, program: string): void {
  const names = [...(host.daemon ? ['daemon'] : []), ...(host.services ?? []).map((service) => service.name)];
  if (names.includes(program)) return;
  const available = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none';
  throw new NetyardError(
    'not-found',
    `lab host ${state.lab.name}/${host.name} has no program ${program}: ${available}`,
  );
}
