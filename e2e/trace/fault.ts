/** What a fault of a container network consists of: how it is made, what a trace must say, and what repairs it. */
import type { TestHost } from '../support/host.ts';

export interface FaultContext {
  /** Where the containers are. */
  host: TestHost;
  /** Another host on the same switch. */
  neighbour: TestHost;
  /** A shell line on the host that must succeed, with the programs of the engine. */
  sh(line: string): Promise<string>;
  /** `nsenter` into a container's network namespace. */
  inside(container: string, command: string): Promise<string>;
  /** First IPv4 address of a container. */
  addressOf(container: string): Promise<string>;
  /** Bridge of a network. */
  bridgeOf(network: string): Promise<string>;
  /** Name of the host's end of a container's `eth0`. */
  outerLinkOf(container: string): Promise<string>;
}

export interface Fault {
  name: string;
  make(context: FaultContext): Promise<unknown>;
  /** Arguments of `netyard trace`. */
  trace(context: FaultContext): Promise<readonly string[]> | readonly string[];
  /** `cause` of the report's conclusion. */
  cause: string;
  sentence: RegExp;
  /** What the fix must say. */
  fix: RegExp;
  /** The peer on which it stopped and on which the fix is run; undefined: the host itself. */
  host?: string;
  /** Run instead of the printed fix, where that is an instruction to a person. */
  repair?(context: FaultContext): Promise<unknown>;
  /** The trace after the repair, if another one. */
  traceAfter?(context: FaultContext): Promise<readonly string[]> | readonly string[];
  /** Removes what fault and repair left. */
  clean?(context: FaultContext): Promise<unknown>;
}

/** A shell command that waits until a socket is bound to a port. */
export const bound = (protocol: 'tcp' | 'udp', port: number): string =>
  `for i in $(seq 600); do ss -Hln${protocol[0]} sport = :${port} | grep -q . && break; sleep 0.1; done`;
