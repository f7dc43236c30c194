/** The cluster's names as the network box wants them. */
import type { Cluster } from '@netyard/cluster';
import type { RemoteDirectory } from '@netyard/network';

export function openRemoteDirectory(cluster: Cluster): RemoteDirectory {
  return {
    hostName: cluster.view().hostName,
    hosts: () => cluster.hosts().map(({ name }) => name),
    names: () => cluster.names(),
    publish: (names) => cluster.publish(names),
    changes: (listener) =>
      cluster.changes(({ type }) => {
        if (type === 'host' || type === 'name') listener();
      }),
  };
}
