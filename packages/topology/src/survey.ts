/**
 * Joins what engines and the kernel report: which namespace a container is in, which containers share one, and which
 * namespaces no engine claims. Pure.
 */
import { formatIp, formatPrefix, networkOf, type Prefix, parsePrefix } from '@netyard/core';
import type { EngineContainer, EngineReport } from './engines/report.ts';
import type { HostContainer, HostEngine, HostNamespace, HostNetwork, HostTopology, NamespaceLink } from './model.ts';
import { type FoundNamespace, pinnedName } from './namespaces.ts';

export type NamespaceEntry = Pick<HostNamespace, 'id' | 'path' | 'name' | 'isHost' | 'processes'>;

/** A host topology without the contents of its namespaces: quick to get, to select what to observe. */
export type HostSurvey = Omit<HostTopology, 'namespaces'> & { namespaces: NamespaceEntry[] };

export interface SurveyInput {
  reports: readonly EngineReport[];
  namespaces: readonly FoundNamespace[];
}

export function joinSurvey({ reports, namespaces }: SurveyInput): {
  engines: HostEngine[];
  networks: HostNetwork[];
  containers: HostContainer[];
  namespaces: NamespaceEntry[];
} {
  const engines = withoutRepeats(reports);
  const claimed = nameModes(engines.flatMap(({ containers }) => containers)).map(placeIn(namespaces));
  const owners = Map.groupBy(claimed, ({ namespaceId }) => namespaceId);
  const named = namespaces.map((namespace) => nameNamespace(namespace, owners.get(namespace.id) ?? []));
  const bare = named.filter(({ id, isHost }) => !isHost && !owners.has(id)).map(asContainer);
  return {
    engines: engines.map(({ engine }) => engine),
    networks: engines.flatMap(({ networks }) => networks),
    containers: [...claimed, ...bare],
    namespaces: named,
  };
}

/** An engine may answer on several sockets: a later report of containers and networks that are known is left out. */
function withoutRepeats(reports: readonly EngineReport[]): EngineReport[] {
  const known = new Set<string>();
  const isNew = (id: string): boolean => !known.has(id) && known.add(id) !== undefined;
  return reports.flatMap((report) => {
    const containers = report.containers.filter(({ id }) => isNew(`container ${id}`));
    const networks = report.networks.filter(({ engine, id }) => isNew(`network ${engine} ${id}`));
    const isRepeat = containers.length + networks.length === 0 && report.containers.length + report.networks.length > 0;
    return isRepeat ? [] : [{ ...report, containers, networks }];
  });
}

/** `container:ID` becomes `container:NAME`. */
function nameModes(containers: readonly EngineContainer[]): EngineContainer[] {
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  return containers.map((container) => {
    const [, id = ''] = /^container:(.*)$/.exec(container.networkMode ?? '') ?? [];
    const name = names.get(id);
    return name === undefined ? container : { ...container, networkMode: `container:${name}` };
  });
}

/** By its pinned namespace, else by its first process. */
function placeIn(namespaces: readonly FoundNamespace[]): (container: EngineContainer) => HostContainer {
  const byPath = new Map(namespaces.flatMap(({ id, pins }) => pins.map((path) => [path, id])));
  const byProcess = new Map(namespaces.flatMap(({ id, processes }) => processes.map(({ pid }) => [pid, id])));
  return ({ sandboxPath, ...container }) => {
    const runs = container.pid !== undefined;
    const namespaceId =
      (sandboxPath === undefined ? undefined : byPath.get(normalPath(sandboxPath))) ??
      (container.pid === undefined ? undefined : byProcess.get(container.pid));
    return runs && namespaceId !== undefined ? { ...container, namespaceId } : container;
  };
}

/** `/var/run` is a link to `/run`. */
export const normalPath = (path: string): string => path.replace(/^\/var\/run\//, '/run/');

function nameNamespace(namespace: FoundNamespace, owners: readonly HostContainer[]): NamespaceEntry {
  const { pins, ...entry } = namespace;
  const names = owners.map(({ name }) => name).join(', ');
  const name = namespace.isHost ? 'host' : names || (pinnedName(pins) ?? `net:[${namespace.id}]`);
  return { ...entry, name };
}

function asContainer({ id, name, processes }: NamespaceEntry): HostContainer {
  const pid = processes[0]?.pid;
  return {
    ...{ engine: 'namespace', id, name, state: 'running', namespaceId: id },
    ...(pid === undefined ? {} : { pid }),
    ...{ attachments: [], ports: [], exposed: [], links: [], paused: false },
  };
}

/** A network's bridge is the link that its engine names, or the one with an address of its subnet, whatever it is called. */
export function findBridges(networks: readonly HostNetwork[], host: HostNamespace | undefined): HostNetwork[] {
  if (host === undefined) return [...networks];
  const bridges = host.links.filter(({ kind }) => kind === 'bridge');
  return networks.map((network) => {
    const { link: named, ...rest } = network;
    const bridge =
      bridges.find(({ name }) => name === named) ?? bridges.find((each) => addressIn(each, network) !== undefined);
    if (bridge === undefined) return host.links.some(({ name }) => name === named) ? network : rest;
    return { ...rest, link: bridge.name, subnets: network.subnets.map((subnet) => withGateway(subnet, bridge)) };
  });
}

type Subnet = HostNetwork['subnets'][number];

const addressIn = ({ addresses }: NamespaceLink, { subnets }: Pick<HostNetwork, 'subnets'>): Prefix | undefined =>
  addresses
    .map(parsePrefix)
    .find((address) => subnets.some(({ subnet }) => formatPrefix(networkOf(address)) === subnet));

/** dockerd does not report a gateway that the user did not choose: it is the bridge's address. */
function withGateway(subnet: Subnet, bridge: NamespaceLink): Subnet {
  const address = subnet.gateway === undefined ? addressIn(bridge, { subnets: [subnet] }) : undefined;
  return address === undefined ? subnet : { ...subnet, gateway: formatIp(address) };
}
