/** API addresses of hosts: what a host announces, and validation of what others announce. Pure. */
import { tryParseIp, urlHost } from '@netyard/core';

/** A TCP port that accepts only clients with certificates. */
export interface ApiListener {
  /** '', 0.0.0.0 and :: mean all addresses of the host. */
  address: string;
  port: number;
}

/** URL of the first listener that is reachable at the host's announced address; undefined when there is none. */
export function announcedApi(listeners: readonly ApiListener[], address: string): string | undefined {
  const found = listeners.find((listener) => listener.port > 0 && accepts(listener.address, address));
  return found && `https://${urlHost(address)}:${found.port}`;
}

/** Not for a host name, whose address is unknown. `::` accepts IPv4, too; 0.0.0.0 only IPv4. */
function accepts(listening: string, address: string): boolean {
  const [own, ip] = [tryParseIp(listening), tryParseIp(address)];
  if (own === undefined || ip === undefined) return listening === '';
  return own.value === 0n ? own.family >= ip.family : own.family === ip.family && own.value === ip.value;
}

/**
 * Whether a host may announce this URL: TLS, and its own literal address. A URL that points elsewhere would redirect
 * requests meant for that host.
 */
export function isApiOf(url: string, address: string): boolean {
  const [, host, port] = /^https:\/\/([0-9.]+|\[[0-9a-f:]+\]):([1-9]\d{0,4})$/.exec(url) ?? [];
  return host === urlHost(address) && Number(port) <= 65535;
}
