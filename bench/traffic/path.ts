/**
 * A way from one program to another: what is compared. Each is a pair of network namespaces that stand
 * already; the programs that measure are the same files in all of them, started from the lab host into the namespace,
 * so that nothing but the way differs.
 */
import type { HostHandle } from '@netyard/lab';

/** Where the servers listen. */
export const ports = { iperf: '5201', echo: '5202' } as const;

/** Where a program runs. */
export interface Place {
  host: HostHandle;
  /** Path of the network namespace as the host sees it; undefined: the host's own. */
  netns: string | undefined;
}

export interface Way {
  client: Place;
  server: Place;
  /** The server's, as the client calls it. */
  address: string;
}

/** One that may be there or not: `open` throws why not. */
export interface Candidate {
  key: string;
  title: string;
  open(): Promise<Way>;
}

/** The command as it runs at a place on one processor (-1: any). */
export function commandAt(place: Place, processor: number, command: readonly string[]): string[] {
  const enter = place.netns === undefined ? [] : ['nsenter', `--net=${place.netns}`, '--'];
  const pin = processor < 0 ? [] : ['taskset', '-c', String(processor)];
  return [...enter, ...pin, ...command];
}
