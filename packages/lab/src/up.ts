/**
 * Creates a lab: reserves its name, creates switches and hosts, connects the cables, starts services and daemons; rolls
 * back on failure.
 */
import { availableParallelism } from 'node:os';
import { errorCodeOf, NetyardError } from '@netyard/core';
import { createNetns, openKernel } from '@netyard/kernel';
import { readHierarchies } from './cgroups.ts';
import { defaultBip, type LabDefinition, type LabHost } from './definition.ts';
import { deleteLab } from './down.ts';
import type { HostHandle } from './exec.ts';
import { createHost } from './host.ts';
import { startDaemon } from './host-daemon.ts';
import { startServices } from './host-services.ts';
import { namespacesOf, switchPin } from './layout.ts';
import { planLabLinks } from './link-plan.ts';
import { inParallel } from './parallel.ts';
import { identifyProcess, type ProcessIdentity } from './process-table.ts';
import { requireMachine } from './requirements.ts';
import { claimName, writeHostState, writeLabState } from './state.ts';

export interface BringUpOptions {
  /** Receives a message for each step. */
  say: (line: string) => void;
  /** When aborted, everything created so far is rolled back. */
  signal: AbortSignal;
}

/** Throws after the rollback has restored the machine. */
export async function bringUp(lab: LabDefinition, options: BringUpOptions): Promise<void> {
  requireMachine();
  claimName(lab);
  try {
    await createLab(lab, options);
  } catch (error) {
    const failures = await deleteLab(lab.name);
    if (failures.length === 0) throw error;
    const hint = `the rollback failed as well: ${failures.join('; ')}; run \`netyard lab down ${lab.name}\``;
    throw new NetyardError(errorCodeOf(error), error instanceof Error ? error.message : String(error), {
      hint,
      cause: error,
    });
  }
}

type Inits = Map<string, ProcessIdentity>;

async function createLab(lab: LabDefinition, { say, signal }: BringUpOptions): Promise<void> {
  const maker = identifyProcess(process.pid);
  if (!maker) throw new NetyardError('internal', 'cannot read /proc/self/stat');
  writeLabState({ lab, phase: 'starting', maker });
  for (const one of lab.switches) createNetns(switchPin(lab.name, one.name));
  say(`lab ${lab.name}: ${contents(lab)}`);
  const inits = await createHosts(lab, signal);
  await connectCables(lab, inits);
  signal.throwIfAborted();
  const handleOf = (host: LabHost): HostHandle => ({ lab: lab.name, host: host.name, init: initOf(inits, host.name) });
  // All concurrently: services such as etcd's members wait for each other.
  const served = lab.hosts.filter((host) => host.services !== undefined);
  await inParallel(served, served.length, (host) => startServices(handleOf(host), host, signal), signal);
  let done = 0;
  const finish = async (host: LabHost): Promise<void> => {
    if (host.daemon) await startDaemon(handleOf(host), host, signal);
    done += 1;
    say(`  ${`${done}`.padStart(`${lab.hosts.length}`.length)}/${lab.hosts.length} ${describe(host)}`);
  };
  await inParallel(lab.hosts, maxConcurrentStarts, finish, signal);
  writeLabState({ lab, phase: 'up', maker });
}

/** Limit of concurrent starts: a host that starts keeps a CPU busy, so more would only delay each of them. */
export const maxConcurrentStarts = 2 * availableParallelism();

/** Summary of a lab: `3 hosts, 2 routers, switches paris 172.16.1.0/24, …`. */
function contents(lab: LabDefinition): string {
  const routers = lab.hosts.filter((host) => host.role === 'router').length;
  const count = (number: number, word: string): string[] =>
    number === 0 ? [] : [`${number} ${word}${number === 1 ? '' : 's'}`];
  const [only, another] = lab.switches;
  const switches =
    another === undefined
      ? `switch ${only?.prefix}`
      : `switches ${lab.switches.map((one) => `${one.name} ${one.prefix}`).join(', ')}`;
  return [...count(lab.hosts.length - routers, 'host'), ...count(routers, 'router'), switches].join(', ');
}

function describe(host: LabHost): string {
  const address = host.uplinks.map((uplink) => uplink.address).join(', ');
  const services = (host.services ?? []).map((service) => `, ${service.name}`).join('');
  if (host.role === 'router') return `${host.name}: ${address}, router${services}`;
  if (!host.daemon) return `${host.name}: ${address}, no daemon${services}`;
  const elsewhere = host.daemonOptions.some((option) => /^--(bip|cluster)\b/.test(option)); // the options select the bridge
  const bridge = host.bip ?? (elsewhere ? undefined : defaultBip);
  return `${host.name}: ${address}${bridge === undefined ? '' : `, bridge ${bridge}`}${services}`;
}

async function createHosts(lab: LabDefinition, signal: AbortSignal): Promise<Inits> {
  const hierarchies = readHierarchies();
  const inits: Inits = new Map();
  const createOne = async (host: LabHost): Promise<void> => {
    const init = await createHost(lab, host, hierarchies);
    inits.set(host.name, init);
    writeHostState(lab.name, host.name, { init, cut: [] });
  };
  await inParallel(lab.hosts, maxConcurrentStarts, createOne, signal);
  return inits;
}

async function connectCables(lab: LabDefinition, inits: Inits): Promise<void> {
  const kernel = openKernel();
  try {
    await kernel.apply(
      planLabLinks(
        lab,
        namespacesOf(lab.name, (host) => initOf(inits, host)),
      ),
    );
  } finally {
    kernel.close();
  }
}

function initOf(inits: Inits, host: string): ProcessIdentity {
  const init = inits.get(host);
  if (init) return init;
  throw new NetyardError('internal', `lab host ${host} was not created`);
}
