/** Translates cluster membership into Netyard's own JSON. Pure. */
import type { ClusterHostInfo, ClusterInfo } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { PeerState } from '@netyard/peers';
import type { ClusterAdapter } from '../options.ts';

export function translateCluster(cluster: ClusterAdapter): ClusterInfo {
  const view = cluster.view();
  return {
    Name: view.name,
    HostName: view.hostName,
    Subnet: view.subnet,
    Pool: { Subnet: view.pool.subnet, SubnetSize: view.pool.subnetSize },
    State: view.connection,
    Reason: view.reason,
    Problem: view.problem,
    Endpoints: view.endpoints,
    Hosts: cluster.hosts().length,
    Names: cluster.names().length,
    Skipped: cluster.problems().map(({ key, problem }) => ({ Key: key, Problem: problem })),
  };
}

type Host = ReturnType<ClusterAdapter['hosts']>[number];

const apiProblems = ({ refusedApi }: Host): string[] =>
  refusedApi === undefined ? [] : [`announces an invalid API address: ${JSON.stringify(refusedApi)}`];

/** Members and hosts with a reserved subnet, by name. `peers`: all peers of the network package. */
export function translateClusterHosts(cluster: ClusterAdapter, peers: readonly PeerState[]): ClusterHostInfo[] {
  const byName = new Map(peers.map((peer) => [peer.record.name, peer]));
  const { problem } = cluster.view();
  const members = cluster.hosts().map((host): ClusterHostInfo => {
    const { name, address, subnets, since, self, api } = host;
    const peer = self ? undefined : byName.get(name);
    return {
      ...{ Name: name, Address: address, Subnets: subnets, Since: formatTime(since), Self: self, Present: true },
      Api: api ?? '',
      Path: peer?.path ? { Kind: peer.path.kind, Link: peer.path.link } : null,
      Problems: self
        ? problem === ''
          ? []
          : [problem]
        : [...(peer?.problems ?? ['it is not a peer yet']), ...apiProblems(host)],
    };
  });
  const gone = cluster.reservations().map(
    ({ host, address, subnet }): ClusterHostInfo => ({
      ...{ Name: host, Address: address, Subnets: [subnet], Since: '', Self: false, Present: false },
      ...{ Api: '', Path: null, Problems: [] },
    }),
  );
  return [...members, ...gone].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}
