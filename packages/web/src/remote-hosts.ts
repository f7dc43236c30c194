/** The lanes of other hosts of the cluster: what they publish of themselves, and nothing else. Pure. */
import type { ContainerEndpoint, PageItem } from '@netyard/page';
import { hostId } from './picture.ts';

/** A host of the cluster, as it announces itself. */
export interface RemoteHost {
  name: string;
  /** Subnets of its own bridge. */
  subnets: readonly string[];
  /** Networks of the cluster on which it has a part. */
  networks: readonly RemoteNetwork[];
  containers: readonly RemoteContainer[];
}

export interface RemoteNetwork {
  id: string;
  name: string;
  subnets: readonly string[];
  internal: boolean;
}

export interface RemoteContainer {
  id: string;
  name: string;
  /** Without `networkId`: on the host's own bridge. */
  endpoints: readonly { networkId?: string; addresses: readonly string[]; names: readonly string[] }[];
}

/** Lanes beyond these are left out: the page draws some thousand nodes, and a cluster may have a thousand hosts. */
export const maximumRemoteHosts = 24;
const maximumContainers = 200;

/**
 * In the order of names.
 * @param reachable names of the hosts whose APIs answer
 */
export function planRemoteHosts(hosts: readonly RemoteHost[], reachable: ReadonlySet<string>): PageItem[] {
  const sorted = [...hosts].sort((one, other) => (one.name < other.name ? -1 : 1));
  return sorted.slice(0, maximumRemoteHosts).flatMap((host) => planHost(host, reachable.has(host.name)));
}

const bridge = 'bridge';
const networkIdOf = (host: string, id = bridge): string => `${hostId(host)}/${id}`;

function planHost({ name, subnets, networks, containers }: RemoteHost, isReachable: boolean): PageItem[] {
  const host = hostId(name);
  const own: RemoteNetwork = { id: bridge, name: bridge, subnets, internal: false };
  const names = new Map([own, ...networks].map((network) => [network.id, network.name]));
  const traced = isReachable ? { canTrace: true } : {};
  const left = containers.length - maximumContainers;
  const notes = left > 0 ? [`${left} more containers are not shown`] : [];
  return [
    { kind: 'host', id: host, name, version: '', uplinks: [], problems: notes, foreign: 'cluster', ...traced },
    ...[own, ...networks].map((network): PageItem => planNetwork(name, network)),
    ...containers.slice(0, maximumContainers).map(
      ({ id, name: container, endpoints }): PageItem => ({
        ...{ kind: 'container', id: `${host}/${id}`, host, name: container, image: '', state: 'running' },
        mode: names.get(endpoints[0]?.networkId ?? bridge) ?? bridge,
        endpoints: endpoints.map((endpoint) => planEndpoint(name, endpoint, names)),
        ...{ ports: [], links: [], problems: [], foreign: 'cluster', ...traced },
      }),
    ),
  ];
}

const planNetwork = (host: string, { id, name, subnets, internal }: RemoteNetwork): PageItem => ({
  ...{ kind: 'network', id: networkIdOf(host, id), host: hostId(host), name, driver: 'bridge', internal, icc: true },
  subnets: subnets.map((subnet) => ({ subnet })),
  ...{ problems: [], foreign: 'cluster' },
});

const planEndpoint = (
  host: string,
  { networkId = bridge, addresses, names }: RemoteContainer['endpoints'][number],
  networks: ReadonlyMap<string, string>,
): ContainerEndpoint => ({
  networkId: networkIdOf(host, networkId),
  network: networks.get(networkId) ?? networkId,
  addresses: [...addresses],
  names: [...names],
});
