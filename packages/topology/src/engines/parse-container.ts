/**
 * Containers as `GET /containers/ID/json` and `GET /containers/json` of the Docker Engine API describe them, which Netyard,
 * dockerd and Podman answer. A missing or odd field never fails. Pure.
 */
import { formatIp, formatPrefix, tryParseIp } from '@netyard/core';
import { integerOf, type Json, listOf, objectOf, textEntries, textOf, textsOf, withoutUndefined } from '../json.ts';
import type { ContainerAttachment, ContainerState, EngineKind, PublishedPort } from '../model.ts';
import type { EngineContainer } from './report.ts';

const states: readonly ContainerState[] = ['created', 'running', 'paused', 'restarting', 'exited', 'dead', 'removing'];
/** Podman's names of Docker's states. */
const podmanStates: Readonly<Record<string, ContainerState>> = {
  configured: 'created',
  initialized: 'created',
  stopped: 'exited',
  stopping: 'running',
};

export const parseState = (text: string): ContainerState =>
  states.find((state) => state === text.toLowerCase()) ?? podmanStates[text.toLowerCase()] ?? 'unknown';

/** Undefined without an id. */
export function parseInspect(engine: EngineKind, value: unknown): EngineContainer | undefined {
  const inspect = objectOf(value);
  const id = textOf(inspect['Id']);
  if (id === undefined) return undefined;
  const [state, config] = [objectOf(inspect['State']), objectOf(inspect['Config'])];
  const [host, network] = [objectOf(inspect['HostConfig']), objectOf(inspect['NetworkSettings'])];
  const status = parseState(textOf(state['Status']) ?? '');
  const hasEnded = status === 'exited' || status === 'dead';
  const pid = integerOf(state['Pid']) ?? 0;
  // Of a running container what is published, which is less than was requested on an internal network.
  const ports = parsePortMap(pid > 0 ? network['Ports'] : host['PortBindings']);
  const attachments = parseAttachments(network['Networks'], network);
  const mode = parseMode(engine, host['NetworkMode'], attachments);
  // Podman repeats what belongs to the container whose namespace is shared.
  const shared = mode?.startsWith('container:');
  const optional: Partial<EngineContainer> = withoutUndefined({
    image: textOf(config['Image']),
    exitCode: hasEnded ? integerOf(state['ExitCode']) : undefined,
    finishedAt: hasEnded ? parseTime(state['FinishedAt']) : undefined,
    pid: pid > 0 ? pid : undefined,
    networkMode: mode,
    sandboxPath: textOf(network['SandboxKey']),
    hostsPath: textOf(inspect['HostsPath']),
    resolvConfPath: textOf(inspect['ResolvConfPath']),
  });
  return {
    ...{ engine, id, name: (textOf(inspect['Name']) ?? id.slice(0, 12)).replace(/^\//, ''), state: status },
    attachments: shared ? [] : attachments,
    ports: shared ? [] : ports,
    exposed: Object.keys(objectOf(config['ExposedPorts'])),
    links: textsOf(host['Links']).flatMap((link) => parseLink(link) ?? []),
    paused: state['Paused'] === true || status === 'paused',
    ...optional,
  };
}

/** An entry of the list, for a container whose inspection failed. Undefined without an id. */
export function parseSummary(engine: EngineKind, value: unknown): EngineContainer | undefined {
  const summary = objectOf(value);
  const id = textOf(summary['Id']);
  if (id === undefined) return undefined;
  const state = parseState(textOf(summary['State']) ?? '');
  // Containers that are linked to this one add names with a slash: /web/db.
  const name = textsOf(summary['Names']).find((text) => !text.slice(1).includes('/'));
  const attachments = parseAttachments(objectOf(summary['NetworkSettings'])['Networks'], {});
  const optional: Partial<EngineContainer> = withoutUndefined({
    image: textOf(summary['Image']),
    networkMode: parseMode(engine, objectOf(summary['HostConfig'])['NetworkMode'], attachments),
  });
  const published = listOf(summary['Ports']).map(objectOf);
  return {
    ...{ engine, id, name: (name ?? id.slice(0, 12)).replace(/^\//, ''), state },
    attachments,
    ports: published.flatMap((port) => {
      const protocol = parseProtocol(textOf(port['Type']) ?? '');
      const [hostPort, containerPort] = [integerOf(port['PublicPort']), integerOf(port['PrivatePort'])];
      if (protocol === undefined || hostPort === undefined || containerPort === undefined) return [];
      return [{ protocol, hostAddress: canonical(textOf(port['IP']) ?? '0.0.0.0'), hostPort, containerPort }];
    }),
    ...{ exposed: [], links: [], paused: state === 'paused' },
    ...optional,
  };
}

/** Go's zero time, year 1, is none. */
const parseTime = (value: unknown): string | undefined =>
  textOf(value)?.startsWith('0001-') ? undefined : textOf(value);

/**
 * `default` is Docker's name for the default bridge network. Podman says `bridge` for all bridge networks, and appends
 * options to others, as in `pasta:--map-gw`.
 */
function parseMode(
  engine: EngineKind,
  value: unknown,
  attachments: readonly ContainerAttachment[],
): string | undefined {
  const mode = textOf(value);
  if (mode === undefined || mode.startsWith('container:')) return mode;
  if (engine === 'podman' && mode === 'bridge') return attachments[0]?.network || 'podman';
  return mode === 'default' ? 'bridge' : mode.replace(/^(pasta|slirp4netns):.*$/s, '$1');
}

const canonical = (address: string): string => {
  const ip = tryParseIp(address);
  return ip === undefined ? address : formatIp(ip);
};

/** `container` has the addresses of a container without an entry of a network, as Podman has them in its default network. */
function parseAttachments(value: unknown, container: Json): ContainerAttachment[] {
  const entries = Object.entries(objectOf(value));
  if (entries.length === 0 && textOf(container['IPAddress']) !== undefined) entries.push(['', container]);
  return entries.map(([network, settings]) => parseAttachment(network, objectOf(settings)));
}

function parseAttachment(network: string, settings: Json): ContainerAttachment {
  const addresses = [
    parseAddress(settings['IPAddress'], settings['IPPrefixLen']),
    parseAddress(settings['GlobalIPv6Address'], settings['GlobalIPv6PrefixLen']),
  ];
  const gateway = (key: string): string | undefined => {
    const text = textOf(settings[key]);
    return text === undefined ? undefined : canonical(text);
  };
  const optional: Partial<ContainerAttachment> = withoutUndefined({
    gateway: gateway('Gateway'),
    gateway6: gateway('IPv6Gateway'),
    mac: textOf(settings['MacAddress'])?.toLowerCase(),
  });
  return {
    network,
    addresses: addresses.filter((address) => address !== undefined),
    aliases: [...new Set([...textsOf(settings['Aliases']), ...textsOf(settings['DNSNames'])])],
    ...optional,
  };
}

function parseAddress(address: unknown, length: unknown): string | undefined {
  const ip = tryParseIp(textOf(address) ?? '');
  const bits = integerOf(length);
  if (ip === undefined || bits === undefined || bits < 0 || bits > (ip.family === 4 ? 32 : 128)) return undefined;
  return formatPrefix({ ...ip, length: bits });
}

const parseProtocol = (text: string): PublishedPort['protocol'] | undefined =>
  (['tcp', 'udp', 'sctp'] as const).find((protocol) => protocol === text);

/** `{ "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }] }`. Ports that the engine is yet to choose are left out. */
function parsePortMap(value: unknown): PublishedPort[] {
  return Object.entries(objectOf(value)).flatMap(([key, bindings]) => {
    const [, number = '', name = 'tcp'] = /^(\d+)(?:\/(\w+))?$/.exec(key) ?? [];
    const protocol = parseProtocol(name);
    if (number === '' || protocol === undefined) return [];
    return listOf(bindings).flatMap((binding) => {
      const { HostIp: address = '', HostPort: text = '' } = textEntries(binding);
      const hostPort = /^\d+$/.test(text) ? Number(text) : 0;
      if (hostPort < 1 || hostPort > 65535) return [];
      const hostAddress = canonical(address === '' ? '0.0.0.0' : address);
      return [{ protocol, hostAddress, hostPort, containerPort: Number(number) }];
    });
  });
}

/** `/db:/web/database`: this container, web, reaches db as `database`. */
function parseLink(text: string): { target: string; alias: string } | undefined {
  const [target, alias] = text.split(':');
  if (!target || !alias) return undefined;
  return { target: target.replace(/^\//, ''), alias: alias.slice(alias.lastIndexOf('/') + 1) };
}
