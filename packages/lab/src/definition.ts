/**
 * What a lab is, as plain data: switches, and hosts and routers with their cables and routes. The meaning of a lab file
 * (`lab-file.ts`); whoever writes one in TypeScript, as tests do, answers for its sense.
 */

/** A network between hosts: an Ethernet switch and the addresses used on it. */
export interface LabSwitch {
  name: string;
  /** Without host bits: `172.16.0.0/16`. */
  prefix: string;
  /** Of every link to it, in bytes; the kernel's 1500 unless told. */
  mtu?: number;
}

/** A host's way to a switch. */
export interface LabUplink {
  switch: string;
  /** The link's name inside the host. */
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

/** A program that a host runs beside its daemon, from `lab up` to `lab down`. */
export interface LabService {
  name: string;
  /** A line for sh, with `{host}`, `{address}` and `{state}` in it; see `service.ts`. */
  run: string;
  /** A line for sh that succeeds once the service is of use. Without it, it is as soon as it runs. */
  ready?: string;
}

export interface LabHost {
  name: string;
  uplinks: readonly LabUplink[];
  routes?: readonly LabRoute[];
  /** Forwards between its switches, has no daemon, and is no host to those who count hosts. */
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

/** What the tutorial calls a host's network card. */
export const uplinkName = 'ens33';
/** Of the one switch that a file declares as `switch: PREFIX`. */
export const onlySwitch = 'switch';
/** Docker's bridge network when nobody says `--bip`. */
export const defaultBip = '172.17.0.1/16';
