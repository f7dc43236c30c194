/**
 * A network path between two programs in existing network namespaces. The same programs measure all paths; the lab host
 * starts them in the namespaces, so that only the path differs.
 */
import type { HostHandle } from '@netyard/lab';

/** Ports of the servers. */
export const ports = { iperf: '5201', echo: '5202' } as const;

/** Where a program runs. */
export interface Endpoint {
  host: HostHandle;
  /** Path of the network namespace as the host sees it; undefined: the host's own. */
  netns: string | undefined;
}

export interface Path {
  client: Endpoint;
  server: Endpoint;
  /** The server's address from the client. */
  address: string;
}

/** A path that may be unavailable: then `open` throws the reason. */
export interface Candidate {
  key: string;
  title: string;
  open(): Promise<Path>;
}

/** The command that runs `command` at an endpoint, on one processor (-1: any). */
export function commandAt(endpoint: Endpoint, processor: number, command: readonly string[]): string[] {
  const enter = endpoint.netns === undefined ? [] : ['nsenter', `--net=${endpoint.netns}`, '--'];
  const pin = processor < 0 ? [] : ['taskset', '-c', String(processor)];
  return [...enter, ...pin, ...command];
}
