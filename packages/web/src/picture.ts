/** Makes the items of the page from the engine's containers, networks and peers and from observed interfaces. Pure. */
import { shortId } from '@netyard/core';
import type { ContainerSummary } from '@netyard/engine';
import type { NetworkRecord } from '@netyard/network';
import type { ContainerEndpoint, ContainerItem, HostItem, NetworkItem, PageItem, PeerItem } from '@netyard/page';
import type { PeerState } from '@netyard/peers';
import type { LinkRecord, NetworkMode } from '@netyard/sandbox';

/** An interface of the host. */
export interface ObservedInterface {
  mtu: number;
  up: boolean;
}

export interface PictureInput {
  host: { name: string; version: string };
  networks: readonly NetworkRecord[];
  /** Name of a network's bridge or parent on the host, if it has one. */
  networkLink: (network: NetworkRecord) => string | undefined;
  /** Names of the further bridges of a network, and of the pairs that join them. */
  segmentLinks: (network: NetworkRecord) => readonly string[];
  containers: readonly ContainerSummary[];
  /** Links that a container declares. */
  links: (containerId: string) => readonly LinkRecord[];
  mode: (containerId: string) => NetworkMode | undefined;
  peers: readonly PeerState[];
  /** Names of peers whose APIs answer. */
  reachablePeers: ReadonlySet<string>;
  /** By name. */
  interfaces: ReadonlyMap<string, ObservedInterface>;
  uplinks: readonly string[];
  warnings: readonly string[];
}

const optionPrefix = 'com.docker.network.';

export const hostId = (name: string): string => `host:${name}`;

export function planPicture(input: PictureInput): PageItem[] {
  return [
    planHost(input),
    ...input.networks.filter(hasMembers).map((network) => planNetwork(network, input)),
    ...input.containers.map((container) => planContainer(container, input)),
    ...input.peers.filter(({ record }) => record.network === undefined).map((peer) => planPeer(peer, input)),
  ];
}

/** `host` and `none` have no interface of their own, configuration-only networks no containers. */
const hasMembers = ({ driver, configuration }: NetworkRecord): boolean =>
  driver !== 'host' && driver !== 'null' && configuration === undefined;

function planHost({ host, uplinks, warnings }: PictureInput): HostItem {
  const { name, version } = host;
  return { kind: 'host', id: hostId(name), name, version, uplinks: [...uplinks], problems: [...warnings] };
}

function planNetwork(
  network: NetworkRecord,
  { host, networkLink, segmentLinks, interfaces }: PictureInput,
): NetworkItem {
  const { id, name, driver, internal, ipam, options } = network;
  const link = networkLink(network);
  const others = segmentLinks(network);
  const observed = link === undefined ? undefined : interfaces.get(link);
  return {
    ...{ kind: 'network', id, host: hostId(host.name), name, driver, internal },
    ...(link === undefined ? {} : { link }),
    ...(others.length === 0 ? {} : { segmentLinks: [...others] }),
    subnets: [...(ipam.v4 ?? []), ...(ipam.v6 ?? [])].map(({ subnet, gateway }) => ({
      subnet,
      ...(gateway === undefined ? {} : { gateway }),
    })),
    icc: options[`${optionPrefix}bridge.enable_icc`] !== 'false',
    ...(observed ? { mtu: observed.mtu } : {}),
    problems: [link ?? [], ...others].flat().flatMap((one) => planLinkProblems(one, interfaces.get(one))),
  };
}

function planLinkProblems(link: string, observed: ObservedInterface | undefined): string[] {
  if (observed === undefined) return [`interface ${link} does not exist`];
  return observed.up ? [] : [`interface ${link} is down`];
}

function planContainer(summary: ContainerSummary, input: PictureInput): ContainerItem {
  const { record, network } = summary;
  const { id, name, state } = record;
  const mode = input.mode(id);
  const ports = network?.ports ?? [];
  return {
    ...{ kind: 'container', id, host: hostId(input.host.name), name, image: record.config.image },
    state: state.status,
    mode: mode === undefined ? '' : modeText(mode),
    endpoints: planEndpoints(summary, input.networks),
    ports: ports.map(({ protocol, hostAddress, hostPort, containerPort }) => ({
      ...{ protocol, hostAddress, hostPort, containerPort },
    })),
    links: input.links(id).map(({ childId, alias, targetName, remote }) => ({
      ...(remote === undefined ? { id: childId } : {}),
      name: targetName ?? shortId(childId),
      alias,
    })),
    ...(network?.sharedWith === undefined ? {} : { sharedWith: network.sharedWith }),
    problems: planContainerProblems(summary, input.interfaces),
  };
}

function modeText(mode: NetworkMode): string {
  if (mode.kind === 'container') return `container:${mode.ref}`;
  if (mode.kind === 'network') return mode.ref;
  return mode.kind === 'default' ? 'bridge' : mode.kind;
}

/** The interfaces of a running container, or what a stopped one gets at its next start. */
function planEndpoints(summary: ContainerSummary, networks: readonly NetworkRecord[]): ContainerEndpoint[] {
  const { network: state, endpoints } = summary;
  if (state === undefined)
    return endpoints.map(({ networkId, config }) => ({
      networkId,
      network: networks.find(({ id }) => id === networkId)?.name ?? config.network,
      addresses: [],
      names: [...(config.aliases ?? [])],
    }));
  return state.endpoints.map(({ networkId, networkName, link, hostLink, mac, addresses, dnsNames }) => ({
    ...{ networkId, network: networkName, link, mac },
    ...(hostLink === '' ? {} : { hostLink }),
    addresses: [addresses.v4?.address, addresses.v6?.address].filter((address) => address !== undefined),
    names: [...dnsNames],
  }));
}

function planContainerProblems(
  { record, network }: ContainerSummary,
  interfaces: ReadonlyMap<string, ObservedInterface>,
): string[] {
  const { status, exitCode, oomKilled, error, health } = record.state;
  const missing = (network?.endpoints ?? [])
    .filter(({ hostLink }) => hostLink !== '')
    .flatMap(({ hostLink }) => planLinkProblems(hostLink, interfaces.get(hostLink)));
  return [
    ...missing,
    ...(health?.status === 'unhealthy' ? ['its health check fails'] : []),
    ...(oomKilled ? ['killed: out of memory'] : []),
    ...(status === 'exited' && exitCode !== 0 ? [`exited with status ${exitCode}`] : []),
    ...(error === '' ? [] : [error]),
  ];
}

function planPeer({ record, origin, path, problems }: PeerState, { host, reachablePeers }: PictureInput): PeerItem {
  const { name, address, subnets } = record;
  return {
    ...{ kind: 'peer', id: `peer:${name}`, host: hostId(host.name), name, address, subnets, origin },
    ...(path ? { via: path.kind, link: path.link, mtu: path.mtu } : {}),
    problems: [...problems],
    ...(reachablePeers.has(name) ? { canTrace: true } : {}),
  };
}
