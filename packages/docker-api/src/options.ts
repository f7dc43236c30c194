/** Options and adapters that the daemon passes to the server. */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Logger } from '@netyard/core';
import type { Engine, RegistryCredentials } from '@netyard/engine';
import type { PeerApi } from '@netyard/peers';
import type { CaptureRequest, Networks } from '@netyard/sandbox';
import type { ApiLimits } from './http/limits.ts';

/** Facts about this daemon and its host, for `docker version` and `docker info`. Collected once, at start. */
export interface DaemonInfo {
  /** Netyard's version. */
  version: string;
  commit: string;
  /** RFC 3339; '' when unknown. */
  buildTime: string;
  nodeVersion: string;
  /** Identifies the data root; survives restarts. */
  id: string;
  hostname: string;
  kernelVersion: string;
  operatingSystem: string;
  osVersion: string;
  /** As in `uname -m`: x86_64. */
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
  /** `--init` of the daemon: for containers that do not set it. */
  initByDefault: boolean;
  /** A function, because it may change. */
  ipv4Forwarding: () => boolean;
}

type Plan = ReturnType<Networks['explain']>;

/** Prints equivalent commands. Implemented by the daemon, because docker-api does not depend on the kernel package. */
export interface ShellPrinter {
  printPlan(plan: Plan): string;
  printObject(object: Plan['objects'][number]): string;
  printOperations(operations: Awaited<ReturnType<Networks['planPrepare']>>): string;
  printOperation(operation: Awaited<ReturnType<Networks['planPrepare']>>[number]): string;
  describe(object: Plan['objects'][number]): string;
}

/** What docker-api uses of the cluster package, on which it does not depend. */
export interface ClusterAdapter {
  view(): {
    name: string;
    hostName: string;
    subnet: string;
    pool: { subnet: string; subnetSize: number };
    connection: 'connected' | 'unreachable' | 'left';
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
  /** Subnets reserved for hosts that are not members at the moment. */
  reservations(): readonly { subnet: string; host: string; address: string }[];
  problems(): readonly { key: string; problem: string }[];
  leave(): Promise<void>;
  release(host: string): Promise<string[]>;
}

/** Grants access to the topology page, which has a listener of its own. */
export interface PageAccess {
  /** An address that opens the page once, until it expires. `expires`: nanoseconds since 1970. */
  issue(): { url: string; expires: bigint };
}

/** An entry of the journal, as the package journal has it. */
export interface JournalLine {
  /** Nanoseconds since 1970. */
  time: bigint;
  kind: string;
  object: string;
  text: string;
  commands: readonly string[];
  names: readonly string[];
}

/** What docker-api uses of the package journal, on which it does not depend. */
export interface JournalReader {
  /** Oldest first. Times in nanoseconds since 1970. */
  read(query: {
    target: string | undefined;
    since: bigint | undefined;
    until: bigint | undefined;
  }): AsyncIterable<JournalLine>;
  /**
   * Commands that lead from the state of the network at one time to that at another; `from` and `to` in the answer are
   * since when the states were so. `to` defaults to the present. Throws `not-found` when no state so old is kept.
   */
  diff(from: bigint, to?: bigint): Promise<{ from: bigint; to: bigint; commands: readonly string[] }>;
}

/** A probe of another host, as the package trace has it: to a container here, to `host`, or to an address. */
export interface FlowRequest {
  target: string;
  protocol: 'tcp' | 'udp' | 'icmp';
  port?: number;
}

export interface ServedFlow {
  /** Answers until the other host has what was seen, or is gone. Leaves nothing behind. */
  serve(connection: { input: Readable; output: Writable }): Promise<void>;
  close(): void;
}

/** A request that has a route, once its handler has ended. */
export interface HandledRequest {
  method: string;
  /** The route's path, such as `/containers/:id/start`; without version and parameters. */
  route: string;
  status: number;
  seconds: number;
}

export interface ApiOptions {
  engine: Engine;
  networks: Networks;
  /** Present when the daemon is a member of a cluster. */
  cluster?: ClusterAdapter;
  info: DaemonInfo;
  shell: ShellPrinter;
  /** Checks credentials at a registry (`host[:port]`); throws `unauthorized`. */
  login: (domain: string, credentials: RegistryCredentials, signal: AbortSignal) => Promise<void>;
  /**
   * Opens a capture through a peer's API. The stream yields the growing pcapng file; ending its writable side stops the
   * capture. Rethrows errors of the peer's daemon with the peer's name.
   */
  capturePeer: (peer: string, api: PeerApi, request: CaptureRequest, signal: AbortSignal) => Promise<Duplex>;
  /**
   * Asks a peer's daemon to observe a flow. The stream has the conversation with it; rethrows as `capturePeer`.
   */
  tracePeer: (peer: string, api: PeerApi, request: FlowRequest, signal: AbortSignal) => Promise<Duplex>;
  /** Observes a flow on this host. Throws `not-found` for an unknown target, `unavailable` when too many are observed. */
  openFlow: (request: FlowRequest) => Promise<ServedFlow>;
  /** API address and client certificate for a host of the cluster. Throws `conflict` with a hint. */
  clusterApi?: (host: string) => PeerApi;
  /** Present when the daemon serves the topology page. */
  page?: PageAccess;
  /** Present unless the daemon keeps no journal. */
  journal?: JournalReader;
  /** Called after each request that has a route. */
  noteHandled?: (request: HandledRequest) => void;
  /** Absent limits have their defaults. */
  limits?: Partial<ApiLimits>;
  logger: Logger;
}
