/** Makes a whole lab: claims its name, makes switches and hosts, lays the cables, starts the daemons; or undoes it all. */
import { NetyardError } from '@netyard/core';
import { createNetns, openKernel } from '@netyard/kernel';
import { readHierarchies } from './cgroups.ts';
import type { LabDefinition } from './definition.ts';
import { takeDown } from './down.ts';
import { createHost } from './host.ts';
import { startDaemon } from './host-daemon.ts';
import { switchPin } from './places.ts';
import { identifyProcess, type ProcessIdentity } from './process-table.ts';
import { requireMachine } from './requirements.ts';
import { claimName, type LabState, writeState } from './state.ts';
import { planWiring } from './wiring.ts';

export interface BringUpOptions {
  /** Told of each step in words. */
  say: (line: string) => void;
  /** Aborted: what was made so far is undone. */
  signal: AbortSignal;
}

/** Throws what went wrong after the machine is as it was before. */
export async function bringUp(lab: LabDefinition, options: BringUpOptions): Promise<void> {
  requireMachine();
  claimName(lab);
  try {
    await make(lab, options);
  } catch (error) {
    const failures = await takeDown(lab.name);
    if (failures.length === 0) throw error;
    const hint = `undoing it failed as well: ${failures.join('; ')}. Try: netyard lab down ${lab.name}`;
    throw new NetyardError('internal', error instanceof Error ? error.message : String(error), { hint, cause: error });
  }
}

async function make(lab: LabDefinition, { say, signal }: BringUpOptions): Promise<void> {
  const maker = identifyProcess(process.pid);
  if (!maker) throw new NetyardError('internal', 'cannot read /proc/self/stat');
  const state: LabState = { lab: structuredClone(lab) as LabState['lab'], phase: 'starting', maker, inits: {} };
  writeState(state);
  for (const one of lab.switches) createNetns(switchPin(lab.name, one.name));
  const hierarchies = readHierarchies();
  for (const host of lab.hosts) {
    signal.throwIfAborted();
    state.inits[host.name] = await createHost(lab, host, hierarchies);
    writeState(state);
  }
  signal.throwIfAborted();
  await layCables(lab, state.inits);
  say(`lab ${lab.name}: ${lab.hosts.length} ${lab.hosts.length === 1 ? 'host' : 'hosts'} on ${switchWords(lab)}`);
  await startDaemons(lab, state.inits, signal, say);
  writeState({ ...state, phase: 'up' });
}

const switchWords = (lab: LabDefinition): string => lab.switches.map((one) => `switch ${one.prefix}`).join(', ');

async function layCables(lab: LabDefinition, inits: LabState['inits']): Promise<void> {
  const kernel = openKernel();
  try {
    const plan = planWiring(lab, {
      ofSwitch: (name) => switchPin(lab.name, name),
      ofHost: (name) => `/proc/${initOf(inits, name).pid}/ns/net`,
    });
    await kernel.apply(plan);
  } finally {
    kernel.close();
  }
}

function initOf(inits: LabState['inits'], host: string): ProcessIdentity {
  const init = inits[host];
  if (init) return init;
  throw new NetyardError('internal', `lab host ${host} was not made`);
}

/** All at once; the first failure, or the signal, ends the waiting. */
async function startDaemons(
  lab: LabDefinition,
  inits: LabState['inits'],
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const starts = lab.hosts.map(async (host) => {
    const address = host.uplinks.map((uplink) => uplink.address).join(', ');
    if (host.daemon) await startDaemon({ lab: lab.name, host: host.name, init: initOf(inits, host.name) }, host);
    say(`  ${host.name}: ${address}${host.daemon ? `, bridge ${host.bip ?? '172.17.0.1/16'}` : ', no daemon'}`);
  });
  await Promise.race([Promise.all(starts), aborted]);
  signal.throwIfAborted();
}
