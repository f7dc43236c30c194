/** Where a host's API listens: what it announces of that, and what the others believe. Pure. */
import { parseIp } from '@netyard/core';

/** A TCP port that only clients with certificates are let in at. */
export interface ApiListener {
  /** '' = all of the host's, as are 0.0.0.0 and ::. */
  address: string;
  port: number;
}

/** Of the first one that is reached at the address under which the others know the host; undefined without one. */
export function announcedApi(listeners: readonly ApiListener[], address: string): string | undefined {
  const found = listeners.find((listener) => listener.port > 0 && hears(listener.address, address));
  return found && `https://${address}:${found.port}`;
}

function hears(listening: string, address: string): boolean {
  if (listening === '' || listening === address) return true;
  try {
    return parseIp(listening).value === 0n;
  } catch {
    return false; // a name: which of the host's addresses it means is not known
  }
}

/**
 * Whether a host may announce this: TLS, a literal address, and no other than its own. One that points elsewhere would
 * send what is meant for that host to whomever it likes.
 */
export function isApiOf(url: string, address: string): boolean {
  const [, host, port] = /^https:\/\/([0-9.]+):([1-9]\d{0,4})$/.exec(url) ?? [];
  return host === address && Number(port) <= 65535;
}
