/**
 * Hosts of a standing lab that lose their power and get it back, and single programs of theirs.
 *
 * What a host keeps is its files: its data, its /etc, what its services wrote. /run, mounts, namespaces, processes and
 * links end with it, as at a reboot.
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
 * Kills `[LAB/]HOST`, everything in it at once, or `[LAB/]HOST:PROGRAM`: a service or the daemon. Throws `conflict`
 * when it does not run.
 */
export async function killHost(wanted: string): Promise<void> {
  const { host: name, program } = parseTarget(wanted);
  const found = findLabHost(name);
  const lab = found.state.lab.name;
  await withHost(lab, found.host.name, async () => {
    if (program !== undefined) {
      checkProgram(found, program);
      return killInBackground(findHost(`${lab}/${found.host.name}`), program);
    }
    const remembered = readHostState(lab, found.host.name);
    if (remembered?.init === undefined)
      throw new NetyardError('conflict', `lab host ${lab}/${found.host.name} does not run`);
    await powerOff(found);
    writeHostState(lab, found.host.name, { cut: remembered.cut });
  });
}

/** The cables first: a dying host says no goodbye to its neighbours. */
async function powerOff({ state, host }: FoundHost): Promise<void> {
  const lab = state.lab;
  const kernel = openKernel();
  try {
    const nobody = (): never => {
      throw new NetyardError('internal', 'a port is taken away without its host');
    };
    await kernel.remove(planPorts(lab, host, namespacesOf(lab.name, nobody)));
  } finally {
    kernel.close();
  }
  await endGroup(readHierarchies(), hostLayout(lab.name, host.name).cgroup);
}

/**
 * Starts a killed `[LAB/]HOST` with the files it had, or `[LAB/]HOST:PROGRAM` in one that runs. Throws `conflict` when
 * it runs already. A daemon or service that does not come up is told, and the host stays on.
 */
export async function startHost(wanted: string, signal: AbortSignal): Promise<void> {
  const { host: name, program } = parseTarget(wanted);
  const found = findLabHost(name);
  const lab = found.state.lab.name;
  await withHost(lab, found.host.name, () =>
    program === undefined ? powerOn(found, signal) : startProgram(found, program, signal),
  );
}

async function powerOn(found: FoundHost, signal: AbortSignal): Promise<void> {
  const { state, host } = found;
  const lab = state.lab.name;
  const remembered = readHostState(lab, host.name) ?? { cut: [] };
  if (remembered.init && isAlive(remembered.init))
    throw new NetyardError('conflict', `lab host ${lab}/${host.name} runs already`);
  await powerOff(found); // of one that ended by itself something may be left
  const init = await bootHost(found, remembered.cut);
  const handle = { lab, host: host.name, init };
  await startServices(handle, host, signal);
  if (host.daemon) await startDaemon(handle, host, signal);
}

/** The host with its cables, those that are cut staying so; or nothing of it. */
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
    throw new NetyardError('conflict', `${program} of lab host ${handle.lab}/${host.name} runs already`);
  const service = host.services?.find((one) => one.name === program);
  if (service) await startService(handle, host, service, signal);
  else await startDaemon(handle, host, signal);
}

function parseTarget(wanted: string): { host: string; program?: string } {
  const [host = '', program] = wanted.split(':');
  return program === undefined ? { host } : { host, program };
}

function checkProgram({ state, host }: FoundHost, program: string): void {
  const names = [...(host.daemon ? ['daemon'] : []), ...(host.services ?? []).map((service) => service.name)];
  if (names.includes(program)) return;
  const there = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none';
  throw new NetyardError('not-found', `lab host ${state.lab.name}/${host.name} has no program ${program}: ${there}`);
}
