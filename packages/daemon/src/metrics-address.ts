/** Parses the address of the metrics. Pure. */
import { NetyardError, tryParseIp } from '@netyard/core';

export interface MetricsAddress {
  /** An address; '' for all of this host. */
  host: string;
  port: number;
  /** Only this host reaches it. */
  isLoopback: boolean;
}

/** `127.0.0.1:9323`, `localhost:9323`, `[::1]:9323`, `:9323`; undefined for ''. Throws `invalid`. */
export function parseMetricsAddress(text: string): MetricsAddress | undefined {
  if (text === '') return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = plain === 'localhost' ? '127.0.0.1' : (bracketed ?? plain);
  const port = Number(digits);
  if (host === undefined || (host !== '' && tryParseIp(host) === undefined) || port > 65535)
    throw new NetyardError('invalid', `invalid value "${text}" for --metrics-addr: it is not ADDRESS:PORT`, {
      hint: 'use 127.0.0.1:9323',
    });
  return { host, port, isLoopback: host === '::1' || host.startsWith('127.') };
}
