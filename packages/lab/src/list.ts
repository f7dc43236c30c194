/** Lists the labs on this machine and finds hosts by name. */
import { NetyardError } from '@netyard/core';
import { hasErrno, type Kernel, openKernel } from '@netyard/kernel';
import { runsInBackground } from './background.ts';
import type { LabHost, LabUplink } from './definition.ts';
import type { HostHandle } from './exec.ts';
import { answers } from './host-daemon.ts';
import { switchPin } from './layout.ts';
import { portName } from './link-plan.ts';
import { isAlive, type ProcessIdentity } from './process-table.ts';
import { type LabState, labNames, readState } from './state.ts';

export interface ListedLink {
  switch: string;
  link: string;
  address: string;
  /** `cut`: by `lab link … down`; `off`: the host is off. */
  state: 'up' | 'cut' | 'off';
}

export interface ListedHost {
  lab: string;
  host: string;
  role: 'host' | 'router';
  addresses: string[];
  bip?: string;
  /**
   * `starting` applies to the whole lab, `killed` to a host that `lab start` can boot, `broken` to one that ended by
   * itself.
   */
  status: 'up' | 'starting' | 'killed' | 'broken';
  daemon: 'answers' | 'silent' | 'none';
  links: ListedLink[];
  /** State of each service by name. */
  services: Record<string, 'runs' | 'ended'>;
}

/** All hosts of all labs, by lab and in file order; a lab that crashed early is listed without hosts. */
export async function listHosts(): Promise<ListedHost[]> {
  const kernel = openKernel();
  try {
    const lists = labNames().map(async (lab): Promise<ListedHost[]> => {
      const state = readState(lab);
      if (!state) return [crashed(lab)];
      const ports = await portsOf(kernel, state);
      return Promise.all(state.lab.hosts.map((host) => describe(state, host, ports)));
    });
    return (await Promise.all(lists)).flat();
  } finally {
    kernel.close();
  }
}

const crashed = (lab: string): ListedHost => ({
  lab,
  host: '',
  role: 'host',
  addresses: [],
  status: 'broken',
  daemon: 'none',
  links: [],
  services: {},
});

/** Whether each port of each switch is up, by `SWITCH/PORT`; missing ports are omitted. */
async function portsOf(kernel: Kernel, state: LabState): Promise<Map<string, boolean>> {
  const ports = new Map<string, boolean>();
  for (const one of state.lab.switches) {
    try {
      for (const link of await kernel.listLinks(switchPin(state.lab.name, one.name)))
        ports.set(`${one.name}/${link.name}`, link.up);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EINVAL')) throw error; // not created yet, or lost in a crash: no ports
    }
  }
  return ports;
}

async function describe(state: LabState, host: LabHost, ports: Map<string, boolean>): Promise<ListedHost> {
  const lab = state.lab.name;
  const saved = state.hosts[host.name];
  const init = saved?.init;
  const handle = init && isAlive(init) ? { lab, host: host.name, init } : undefined;
  const starting = state.phase === 'starting' && isAlive(state.maker);
  const ended = saved && init === undefined ? 'killed' : 'broken';
  const answering = handle !== undefined && host.daemon && (await answers(handle));
  const link = (uplink: LabUplink): ListedLink => {
    const up = ports.get(`${uplink.switch}/${portName(state.lab, uplink)}`);
    return { ...uplink, state: up === undefined ? 'off' : up ? 'up' : 'cut' };
  };
  const services = (host.services ?? []).map(({ name }): [string, 'runs' | 'ended'] => [
    name,
    handle && runsInBackground(handle, name) ? 'runs' : 'ended',
  ]);
  return {
    lab,
    host: host.name,
    role: host.role ?? 'host',
    addresses: host.uplinks.map((uplink) => uplink.address),
    ...(host.bip === undefined ? {} : { bip: host.bip }),
    status: starting ? 'starting' : handle ? 'up' : ended,
    daemon: host.daemon ? (answering ? 'answers' : 'silent') : 'none',
    links: host.uplinks.map(link),
    services: Object.fromEntries(services),
  };
}

/** A host of a lab, running or not. */
export interface FoundHost {
  state: LabState;
  host: LabHost;
}

/** All hosts that `HOST` or `LAB/HOST` names; at least one. Throws `not-found`. */
function hostsNamed(name: string): FoundHost[] {
  const [first = '', second] = name.split('/');
  const states = labNames()
    .map((lab) => readState(lab))
    .filter((state) => state !== undefined);
  const found = states
    .filter((state) => second === undefined || state.lab.name === first)
    .flatMap((state) => state.lab.hosts.map((host) => ({ state, host })))
    .filter(({ host }) => host.name === (second ?? first));
  if (found.length > 0) return found;
  throw new NetyardError('not-found', `no such lab host: ${name}`, { hint: 'run `netyard lab ls`' });
}

function onlyHost(found: readonly FoundHost[], name: string): FoundHost {
  const [only] = found;
  if (only && found.length === 1) return only;
  const names = found.map(({ state, host }) => `${state.lab.name}/${host.name}`);
  throw new NetyardError('invalid', `several labs have a host ${name}; use one of ${names.join(', ')}`);
}

/** Finds `HOST` or `LAB/HOST` among all labs. Throws `not-found`, or `invalid` when two labs have such a host. */
export const findLabHost = (name: string): FoundHost => onlyHost(hostsNamed(name), name);

/**
 * Finds a running host; a lab whose host of that name does not run is not meant. Throws `not-found`, `conflict` when no
 * such host runs, or `invalid` when several run.
 */
export function findHost(name: string): HostHandle {
  const found = hostsNamed(name);
  const running = found.filter(({ state, host }) => initOf({ state, host }) !== undefined);
  const { state, host } = onlyHost(running.length > 0 ? running : found, name);
  const init = initOf({ state, host });
  if (init) return { lab: state.lab.name, host: host.name, init };
  const hint = `run \`netyard lab start ${state.lab.name}/${host.name}\``;
  throw new NetyardError('conflict', `lab host ${name} is not running`, { hint });
}

function initOf({ state, host }: FoundHost): ProcessIdentity | undefined {
  const init = state.hosts[host.name]?.init;
  return init && isAlive(init) ? init : undefined;
}
