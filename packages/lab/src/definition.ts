/**
 * The definition of a lab as plain data: switches, and hosts and routers with their cables and routes. `lab-file.ts`
 * parses and validates it from a lab file; code that builds one directly, as tests do, must make it consistent.
 */

/** A network between hosts: an Ethernet switch and the addresses used on it. */
export interface LabSwitch {
  name: string;
  /** Without host bits: `172.16.0.0/16`. */
  prefix: string;
  /** MTU of every link to it, in bytes. Default: the kernel's 1500. */
  mtu?: number;
}

/** A host's connection to a switch. */
export interface LabUplink {
  switch: string;
  /** Interface name inside the host. */
  link: string;
  /** With the switch's prefix length: `172.16.2.101/16`. */
  address: string;
}

export interface LabRoute {
  /** `default`, or a prefix without host bits. */
  to: string;
  /** An address on one of the host's switches. */
  via: string;
}

/** A program that a host runs in addition to its daemon, from `lab up` to `lab down`. */
export interface LabService {
  name: string;
  /** A command line for sh, with the placeholders `{host}`, `{address}` and `{state}`; see `service.ts`. */
  run: string;
  /** A command line for sh that succeeds once the service is ready. Default: ready when started. */
  ready?: string;
}

export interface LabHost {
  name: string;
  uplinks: readonly LabUplink[];
  routes?: readonly LabRoute[];
  /** Forwards between its switches, has no daemon, and is not counted as a host. */
  role?: 'router';
  /** The daemon's `--bip`. */
  bip?: string;
  /** Whether `netyard daemon` is started in it. */
  daemon: boolean;
  /** Further options for it, such as `--icc=false`. */
  daemonOptions: readonly string[];
  services?: readonly LabService[];
}

export interface LabDefinition {
  name: string;
  switches: readonly LabSwitch[];
  /** Routers after the hosts. */
  hosts: readonly LabHost[];
}

/** Interface name of a host's uplink, as in the tutorial. */
export const uplinkName = 'ens33';
/** Name of the switch that a file declares as `switch: PREFIX`. */
export const onlySwitch = 'switch';
/** Address of Docker's default bridge without `--bip`. */
export const defaultBip = '172.17.0.1/16';
