/** Where a lab keeps things on the machine. Everything of a lab lies below these folders and its cgroup. */
import { join } from 'node:path';

export interface LabLayout {
  /** State and the pins of the switches; gone after a reboot, as the lab is. */
  run: string;
  /** The hosts' files: their /etc, data and logs. */
  data: string;
  /** Path below the root of each cgroup hierarchy, without a leading slash. */
  cgroup: string;
}

export const runRoot = '/run/netyard-lab';
export const dataRoot = '/var/lib/netyard-lab';
export const cgroupRoot = 'netyard-lab';

export function labLayout(lab: string): LabLayout {
  return { run: join(runRoot, lab), data: join(dataRoot, lab), cgroup: join(cgroupRoot, lab) };
}

export const switchPin = (lab: string, name: string): string => join(labLayout(lab).run, 'switches', name);

/** Paths of a lab's network namespaces: the switches' pins and the hosts' `/proc/PID/ns/net`. */
export interface LabNamespaces {
  ofSwitch(name: string): string;
  ofHost(name: string): string;
}

export const namespacesOf = (lab: string, initOf: (host: string) => { pid: number }): LabNamespaces => ({
  ofSwitch: (name) => switchPin(lab, name),
  ofHost: (name) => `/proc/${initOf(name).pid}/ns/net`,
});

/** The files of one host. */
export interface HostLayout {
  /** Upper and work folder of the overlay on /etc. */
  etc: string;
  etcWork: string;
  /** The daemon's `--data-root`; the same path inside the host. */
  data: string;
  /** What its services keep. */
  state: string;
  /** What the daemon prints. */
  daemonLog: string;
  cgroup: string;
}

export function hostLayout(lab: string, host: string): HostLayout {
  const { data, cgroup } = labLayout(lab);
  const folder = join(data, host);
  return {
    etc: join(folder, 'etc'),
    etcWork: join(folder, 'etc.work'),
    data: join(folder, 'data'),
    state: join(folder, 'state'),
    daemonLog: join(folder, 'daemon.log'),
    cgroup: join(cgroup, host),
  };
}

/** What a service prints. */
export const serviceLog = (lab: string, host: string, service: string): string =>
  join(labLayout(lab).data, host, `service-${service}.log`);

/** Inside a host: where its daemon listens, and the folder of what does not survive it. */
export const socketInside = '/run/netyard/netyard.sock';
export const execRootInside = '/run/netyard';

/** This project's own command, the same inside a host: hosts share the machine's files. */
export const netyardProgram = join(import.meta.dirname, '../../../bin/netyard');
