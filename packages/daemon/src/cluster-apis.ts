/**
 * The APIs of the cluster's hosts, for captures there: where each listens is announced by itself, the certificate that is
 * shown there is this daemon's own option.
 */
import type { Cluster } from '@netyard/cluster';
import { NetyardError } from '@netyard/core';
import type { PeerApi } from '@netyard/network';
import type { ClusterConfig } from './cluster-config.ts';
import { checkFiles } from './peer-apis.ts';

/** Throws `invalid`. Reads the files and keeps nothing: they may be renewed while the daemon runs. */
export function checkClusterApi({ apiFiles }: ClusterConfig): void {
  if (!apiFiles) return;
  checkFiles(apiFiles, { ca: '--cluster-api-ca', certificate: '--cluster-api-cert', key: '--cluster-api-key' });
}

/** Of another host; throws `conflict` with what to do on which host, `not-found` when it is not there. */
export function clusterApi(cluster: Cluster, { apiFiles }: ClusterConfig, host: string): PeerApi {
  const conflict = (message: string, hint: string): NetyardError => new NetyardError('conflict', message, { hint });
  const found = cluster.hosts().find(({ name, self }) => name === host && !self);
  if (!found) throw new NetyardError('not-found', `No such host in the cluster: ${host}`);
  const { address, api, refusedApi } = found;
  if (refusedApi !== undefined)
    throw conflict(
      `host ${host} announces an API that is not believed: ${JSON.stringify(refusedApi)}`,
      `it can only be https://${address}:PORT, the host's own address`,
    );
  if (api === undefined)
    throw conflict(
      `host ${host} announces no API to capture through`,
      `on ${host} give its daemon -H tcp://${address}:2376 --tlsverify --tlscacert FILE --tlscert FILE --tlskey FILE beside its unix socket`,
    );
  if (!apiFiles)
    throw conflict(
      `this host has no certificate for the API of host ${host}`,
      'give its own daemon --cluster-api-ca FILE --cluster-api-cert FILE --cluster-api-key FILE',
    );
  return { url: api, ...apiFiles };
}

/** Listens on TCP, and still tells nobody: why; '' when all is well. */
export function unannounced(cluster: Cluster, { listeners }: ClusterConfig): string {
  const self = cluster.hosts().find((host) => host.self);
  if (listeners.length === 0 || !self || self.api !== undefined) return '';
  const where = listeners.map(({ address, port }) => `${address}:${port}`).join(', ');
  return `the API is not announced to the cluster: the others know this host as ${self.address}, and it listens at ${where} only`;
}
