/** Paths of a lab on the machine. All its files are below these folders, and its processes in its cgroup. */
import { join } from 'node:path';

export interface LabLayout {
  /** State and pinned namespaces of the switches; lost at reboot, like the lab itself. */
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
  /** Data of its services. */
  state: string;
  /** Log of the daemon. */
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

/** Log of a service. */
export const serviceLog = (lab: string, host: string, service: string): string =>
  join(labLayout(lab).data, host, `service-${service}.log`);

/** Inside a host: the daemon's socket, and its folder of runtime state. */
export const socketInside = '/run/netyard/netyard.sock';
export const execRootInside = '/run/netyard';

/** This project's own command; hosts share the machine's files, so the path is the same inside. */
export const netyardProgram = join(import.meta.dirname, '../../../bin/netyard');
