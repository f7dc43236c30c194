/**
 * Chooses host ports for published ports: validates requests, expands `-P`, and orders candidates. Pure; table.ts holds
 * the reservations.
 */
import { NetyardError, parseIp } from '@netyard/core';
import type { ExposedPort, PortRequest } from '../contract.ts';

export interface PortRange {
  first: number;
  last: number;
}

/** net.ipv4.ip_local_port_range as sysctl prints it: `32768	60999`. */
export function parsePortRange(text: string): PortRange {
  const [first, last] = text.trim().split(/\s+/).map(Number);
  if (first === undefined || last === undefined || !(first > 0) || !(last >= first))
    return { first: 32768, last: 60999 };
  return { first, last };
}

/** Throws `invalid` for an invalid port or host address. */
export function checkPortRequest(request: PortRequest): void {
  const isPort = (port: number, least: number): boolean => Number.isInteger(port) && port >= least && port <= 65535;
  const { hostPort = 0, hostPortEnd = hostPort } = request;
  if (!isPort(request.containerPort, 1) || !isPort(hostPort, 0) || !isPort(hostPortEnd, 0) || hostPortEnd < hostPort) {
    const range = hostPortEnd === hostPort ? `${hostPort}` : `${hostPort}-${hostPortEnd}`;
    throw new NetyardError('invalid', `invalid port specification: "${range}:${request.containerPort}"`);
  }
  if (request.hostAddress) parseIp(request.hostAddress);
}

/** `-p` in the order given, then for `-P` each exposed port that is not published. */
export function resolvePortRequests(
  ports: readonly PortRequest[],
  exposed: readonly ExposedPort[],
  publishAll: boolean,
): PortRequest[] {
  const published = new Set(ports.map((port) => `${port.containerPort}/${port.protocol}`));
  const extra: PortRequest[] = publishAll
    ? exposed
        .filter((port) => !published.has(`${port.port}/${port.protocol}`))
        .map((port) => ({ protocol: port.protocol, containerPort: port.port }))
    : [];
  return [...ports, ...extra];
}

/**
 * The order in which one container's requests choose host ports, as indexes: fixed ports first, then ranges by their upper
 * end, then requests for any free port. Each takes its lowest free port, so that all requests are satisfied if possible.
 */
export function allocationOrder(requests: readonly PortRequest[]): number[] {
  const rank = (request: PortRequest): number => {
    if (!request.hostPort) return Number.POSITIVE_INFINITY;
    return hasFixedPort(request) ? 0 : (request.hostPortEnd ?? request.hostPort);
  };
  const ranks = requests.map(rank);
  const before = (a: number, b: number): boolean => (ranks[a] ?? 0) < (ranks[b] ?? 0);
  return [...requests.keys()].sort((a, b) => (before(a, b) ? -1 : before(b, a) ? 1 : a - b));
}

/** Host ports to try, in order; a just-released one comes last. */
export function* candidatePorts(request: PortRequest, dynamic: PortRange, cursor: number): Generator<number> {
  const { hostPort = 0, hostPortEnd = hostPort } = request;
  if (hostPort > 0) {
    for (let port = hostPort; port <= hostPortEnd; port += 1) yield port;
    return;
  }
  const size = dynamic.last - dynamic.first + 1;
  const start = cursor >= dynamic.first && cursor < dynamic.last ? cursor + 1 : dynamic.first;
  for (let step = 0; step < size; step += 1) yield dynamic.first + ((start - dynamic.first + step) % size);
}

/** True when the request names exactly one host port, so that no other can be tried. */
export const hasFixedPort = (request: PortRequest): boolean =>
  (request.hostPort ?? 0) > 0 && (request.hostPortEnd ?? request.hostPort) === request.hostPort;

/** As `-p` has it: `127.0.0.1:8080:80/tcp`, `[::1]:8080:80/tcp`. */
export function formatPortRequest({
  hostAddress = '',
  hostPort = 0,
  hostPortEnd,
  containerPort,
  protocol,
}: PortRequest): string {
  const end = hostPortEnd === undefined || hostPortEnd === hostPort ? '' : `-${hostPortEnd}`;
  const host = hostPort === 0 ? '' : `${hostPort}${end}`;
  const address = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
  const outside = address === '' ? host : `${address}:${host}`;
  return `${outside === '' ? '' : `${outside}:`}${containerPort}/${protocol}`;
}
