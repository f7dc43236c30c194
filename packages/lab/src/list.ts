/** What labs stand on this machine, and where a host is found by name. */
import { NetyardError } from '@netyard/core';
import type { HostHandle } from './enter.ts';
import { answers } from './host-daemon.ts';
import { isAlive } from './process-table.ts';
import { type LabState, labNames, readState } from './state.ts';

export interface ListedHost {
  lab: string;
  host: string;
  addresses: string[];
  bip?: string;
  /** `starting` and `broken` are said of the whole lab or of a host whose first process is gone. */
  status: 'up' | 'starting' | 'broken';
  daemon: 'answers' | 'silent' | 'none';
}

/** All hosts of all labs, by lab and in the order of the file; a lab that crashed is listed without hosts. */
export async function listHosts(): Promise<ListedHost[]> {
  const lists = labNames().map(async (lab): Promise<ListedHost[]> => {
    const state = readState(lab);
    if (!state) return [{ lab, host: '', addresses: [], status: 'broken', daemon: 'none' }];
    return Promise.all(state.lab.hosts.map((host) => describe(state, host)));
  });
  return (await Promise.all(lists)).flat();
}

async function describe(state: LabState, host: LabState['lab']['hosts'][number]): Promise<ListedHost> {
  const lab = state.lab.name;
  const init = state.inits[host.name];
  const alive = init !== undefined && isAlive(init);
  const status = state.phase === 'starting' && isAlive(state.maker) ? 'starting' : alive ? 'up' : 'broken';
  const answering = alive && host.daemon && (await answers({ lab, host: host.name, init }));
  return {
    lab,
    host: host.name,
    addresses: host.uplinks.map((uplink) => uplink.address),
    ...(host.bip === undefined ? {} : { bip: host.bip }),
    status,
    daemon: host.daemon ? (answering ? 'answers' : 'silent') : 'none',
  };
}

/**
 * Finds `HOST` or `LAB/HOST` among all labs. Throws `not-found`, `invalid` when two labs have such a host, `conflict`
 * when the host does not run.
 */
export function findHost(wanted: string): HostHandle {
  const [first = '', second] = wanted.split('/');
  const states = labNames()
    .map((lab) => readState(lab))
    .filter((state) => state !== undefined);
  const found = states
    .filter((state) => second === undefined || state.lab.name === first)
    .flatMap((state) => state.lab.hosts.map((host) => ({ state, host: host.name })))
    .filter(({ host }) => host === (second ?? first));
  const [only, another] = found;
  if (!only) throw new NetyardError('not-found', `no such lab host: ${wanted}`, { hint: 'netyard lab ls' });
  if (another) {
    const names = found.map(({ state, host }) => `${state.lab.name}/${host}`);
    throw new NetyardError('invalid', `several labs have a host ${wanted}: ${names.join(', ')}`);
  }
  const init = only.state.inits[only.host];
  if (init && isAlive(init)) return { lab: only.state.lab.name, host: only.host, init };
  throw new NetyardError('conflict', `lab host ${wanted} does not run`, {
    hint: `netyard lab down ${only.state.lab.name}`,
  });
}
