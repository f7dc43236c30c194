/** What other hosts of the cluster publish, for the lanes of the topology page. */
import type { Cluster } from '@netyard/cluster';
import type { RemoteContainer, RemoteHost } from '@netyard/web';

type PublishedView = Pick<Cluster, 'hosts' | 'names' | 'networks' | 'endpoints'>;

export function remoteHosts(cluster: PublishedView): RemoteHost[] {
  const containers = containersByHost(cluster);
  const networks = cluster.networks();
  return cluster
    .hosts()
    .filter(({ self }) => !self)
    .map(({ name, subnets }) => ({
      name,
      subnets,
      networks: networks.flatMap(({ id, name: network, internal, parts }) => {
        const part = parts.find(({ host }) => host === name);
        return part === undefined ? [] : [{ id, name: network, subnets: part.subnets, internal }];
      }),
      containers: [...(containers.get(name)?.values() ?? [])],
    }));
}

interface GrowingContainer extends RemoteContainer {
  endpoints: RemoteContainer['endpoints'][number][];
}

/** By host and id: a container may be on the bridge and on networks of the cluster. */
function containersByHost(cluster: PublishedView): Map<string, Map<string, GrowingContainer>> {
  const byHost = new Map<string, Map<string, GrowingContainer>>();
  const find = (host: string, id: string, name: string): GrowingContainer => {
    const ofHost = byHost.get(host) ?? new Map<string, GrowingContainer>();
    const container = ofHost.get(id) ?? { id, name, endpoints: [] };
    byHost.set(host, ofHost.set(id, container));
    return container;
  };
  for (const { host, name, containerId, address } of cluster.names())
    find(host, containerId, name).endpoints.push({ addresses: [address], names: [name] });
  for (const { networkId, host, containerId, name, address, ipv6Address, names } of cluster.endpoints()) {
    const addresses = ipv6Address === undefined ? [address] : [address, ipv6Address];
    find(host, containerId, name).endpoints.push({ networkId, addresses, names });
  }
  return byHost;
}
