/** Translates ports: `80/tcp` keys, port bindings, Ports of inspect and `docker ps`. Pure. */
import type { PortMap, PortSummary } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import type { ExposedPort, PortRequest, PublishedPort } from '@netyard/network';
import { type ApiVersion, speaks } from '../versions.ts';

type PortBinding = NonNullable<PortMap[string]>[number];
type Protocol = ExposedPort['protocol'];
type PortBindingsField = { PortBindings: Readonly<Record<string, readonly PortBinding[]>> };

const protocols: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

const bad = (text: string): NetyardError => new NetyardError('invalid', `invalid port specification: "${text}"`);

/** `80`, `8000-8010`; throws `invalid` with Docker's message. */
function parseRange(text: string): { first: number; last: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || first > 65535 || last > 65535 || last < first) throw bad(text);
  return { first, last };
}

/** `80/tcp`, `80`, `8000-8010/udp`; a range is several ports. */
export function parsePortKey(key: string): ExposedPort[] {
  const [range = '', name = 'tcp'] = key.split('/');
  const protocol = protocols.find((known) => known === name.toLowerCase());
  if (!protocol) throw new NetyardError('invalid', `invalid proto: ${name}`);
  const { first, last } = parseRange(range);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ protocol, port: first + index }));
}

export function translatePortBindings(bindings: Readonly<Record<string, readonly PortBinding[]>>): PortRequest[] {
  return Object.entries(bindings).flatMap(([key, hosts]) =>
    parsePortKey(key).flatMap(({ protocol, port }) =>
      hosts.map((host): PortRequest => {
        const { first, last } = parseRange(host.HostPort || '0');
        return {
          protocol,
          containerPort: port,
          ...(host.HostIp === '' ? {} : { hostAddress: host.HostIp }),
          ...(first === 0 ? {} : { hostPort: first }),
          ...(last === first ? {} : { hostPortEnd: last }),
        };
      }),
    ),
  );
}

export const readPortsRequest = ({ PortBindings }: PortBindingsField): PortRequest[] =>
  translatePortBindings(PortBindings);

/** As in Docker 28, an empty list publishes nothing, without a warning to older clients. */
export function emptyPortWarnings({ PortBindings }: PortBindingsField, version: ApiVersion): string[] {
  const ports = Object.entries(PortBindings).flatMap(([port, hosts]) => (hosts.length === 0 ? [port] : []));
  if (ports.length === 0 || !speaks(version, 52)) return [];
  return [`Container ports with an empty list of port bindings are not published: ${ports.join(', ')}`];
}

/** `80/tcp` */
export const exposedKey = (port: ExposedPort): string => `${port.port}/${port.protocol}`;

/** HostConfig.PortBindings: as requested. */
export function formatPortRequests(ports: readonly PortRequest[]): Record<string, PortBinding[]> {
  const map: Record<string, PortBinding[]> = {};
  for (const port of ports) {
    const end = port.hostPortEnd === undefined ? '' : `-${port.hostPortEnd}`;
    const key = exposedKey({ port: port.containerPort, protocol: port.protocol });
    map[key] = [
      ...(map[key] ?? []),
      { HostIp: port.hostAddress ?? '', HostPort: port.hostPort ? `${port.hostPort}${end}` : '' },
    ];
  }
  return map;
}

/** NetworkSettings.Ports: published ports; null for ports that are exposed only. */
export function formatPublished(published: readonly PublishedPort[], exposed: readonly ExposedPort[]): PortMap {
  const map: PortMap = Object.fromEntries(exposed.map((port) => [exposedKey(port), null]));
  for (const port of published) {
    const key = exposedKey({ port: port.containerPort, protocol: port.protocol });
    map[key] = [
      ...(map[key] ?? []),
      { HostIp: port.hostAddress || '0.0.0.0', HostPort: port.hostPort === 0 ? '' : String(port.hostPort) },
    ];
  }
  return map;
}

/** Ports of `docker ps`. */
export function summarizePorts(published: readonly PublishedPort[], exposed: readonly ExposedPort[]): PortSummary[] {
  const open = new Set(published.map((port) => `${port.containerPort}/${port.protocol}`));
  return [
    ...published.map((port) => ({
      IP: port.hostAddress || '0.0.0.0',
      PrivatePort: port.containerPort,
      ...(port.hostPort === 0 ? {} : { PublicPort: port.hostPort }),
      Type: port.protocol,
    })),
    ...exposed
      .filter((port) => !open.has(exposedKey(port)))
      .map((port) => ({ PrivatePort: port.port, Type: port.protocol })),
  ];
}
