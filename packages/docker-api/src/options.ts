/** What the server is given by the daemon. */
import type { Duplex } from 'node:stream';
import type { Logger } from '@netyard/core';
import type { Engine, RegistryCredentials } from '@netyard/engine';
import type { CaptureRequest, Networks, PeerApi } from '@netyard/network';
import type { ApiLimits } from './http/limits.ts';

/** Facts about this daemon and its host, for `docker version` and `docker info`. Collected once, at start. */
export interface DaemonInfo {
  /** Of Netyard. */
  version: string;
  commit: string;
  /** RFC 3339; '' when unknown. */
  buildTime: string;
  nodeVersion: string;
  /** Identifies the data root; stays the same over restarts. */
  id: string;
  hostname: string;
  kernelVersion: string;
  operatingSystem: string;
  osVersion: string;
  /** As uname -m has it: x86_64. */
  machine: string;
  cpus: number;
  memoryBytes: number;
  debug: boolean;
  labels: string[];
  liveRestore: boolean;
  loggingDriver: string;
  insecureRegistries: string[];
  registryMirrors: string[];
  containerdNamespace: string;
  initBinary: string;
  /** `--init`: for containers that do not say. */
  initByDefault: boolean;
  /** Read at each request: it may change. */
  ipv4Forwarding: () => boolean;
}

type Plan = ReturnType<Networks['explain']>;

/** The kernel box's printer, given from outside because this box does not know the kernel. */
export interface ShellPrinter {
  printPlan(plan: Plan): string;
  printObject(object: Plan['objects'][number]): string;
  printOperations(operations: Awaited<ReturnType<Networks['planPrepare']>>): string;
  printOperation(operation: Awaited<ReturnType<Networks['planPrepare']>>[number]): string;
  describe(object: Plan['objects'][number]): string;
}

/** The cluster box as this box, which does not know it, uses it. */
export interface ClusterAdapter {
  view(): {
    name: string;
    hostName: string;
    subnet: string;
    pool: { subnet: string; subnetSize: number };
    connection: 'connected' | 'away' | 'left';
    reason: string;
    problem: string;
    endpoints: string[];
  };
  /** `since`: nanoseconds since 1970. */
  hosts(): readonly {
    name: string;
    address: string;
    subnets: string[];
    since: bigint;
    self: boolean;
    api?: string;
    refusedApi?: string;
  }[];
  names(): readonly unknown[];
  /** Subnets kept for hosts that are not there. */
  reservations(): readonly { subnet: string; host: string; address: string }[];
  problems(): readonly { key: string; problem: string }[];
  leave(): Promise<void>;
  release(host: string): Promise<string[]>;
}

export interface ApiOptions {
  engine: Engine;
  networks: Networks;
  /** Of a daemon that is a member of one. */
  cluster?: ClusterAdapter;
  info: DaemonInfo;
  shell: ShellPrinter;
  /** Asks a registry (`host[:port]`) whether it takes these credentials; throws `unauthorized`. */
  login: (domain: string, credentials: RegistryCredentials, signal: AbortSignal) => Promise<void>;
  /**
   * Opens a capture over a peer's API: the pcapng file as it grows; the end of what we write asks for its end. Throws
   * what the peer's daemon says, in the peer's name.
   */
  capturePeer: (peer: string, api: PeerApi, request: CaptureRequest, signal: AbortSignal) => Promise<Duplex>;
  /** Of a host of the cluster: where it listens and what to show it. Throws `conflict` with what is to be done where. */
  clusterApi?: (host: string) => PeerApi;
  /** The defaults where not given. */
  limits?: Partial<ApiLimits>;
  logger: Logger;
}
