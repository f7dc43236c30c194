/**
 * The APIs of the cluster's hosts, for packet captures there: each host announces its own address; the client
 * certificate is an option of this daemon.
 */
import type { Cluster } from '@netyard/cluster';
import { NetyardError, urlHost } from '@netyard/core';
import type { PeerApi } from '@netyard/peers';
import type { ClusterConfig } from './cluster-config.ts';
import { checkFiles } from './peer-apis.ts';

/** Throws `invalid`. Reads the files and does not cache them: they may be renewed while the daemon runs. */
export function checkClusterApi({ apiFiles }: ClusterConfig): void {
  if (!apiFiles) return;
  checkFiles(apiFiles, { ca: '--cluster-api-ca', certificate: '--cluster-api-cert', key: '--cluster-api-key' });
}

/** The API of another host; throws `conflict` with what to do on which host, `not-found` when there is no such host. */
export function clusterApi(cluster: Cluster, { apiFiles }: ClusterConfig, host: string): PeerApi {
  const conflict = (message: string, hint: string): NetyardError => new NetyardError('conflict', message, { hint });
  const found = cluster.hosts().find(({ name, self }) => name === host && !self);
  if (!found) throw new NetyardError('not-found', `No such host in the cluster: ${host}`);
  const { address, api, refusedApi } = found;
  if (refusedApi !== undefined)
    throw conflict(
      `host ${host} announces an invalid API address: ${JSON.stringify(refusedApi)}`,
      `on ${host} use https://${urlHost(address)}:PORT, the host's own address`,
    );
  if (api === undefined)
    throw conflict(
      `host ${host} announces no API for captures`,
      `on ${host} start the daemon with -H tcp://${urlHost(address)}:2376 --tlsverify --tlscacert FILE --tlscert FILE --tlskey FILE in addition to its unix socket`,
    );
  if (!apiFiles)
    throw conflict(
      `this host has no certificate for the API of host ${host}`,
      'start this daemon with --cluster-api-ca FILE --cluster-api-cert FILE --cluster-api-key FILE',
    );
  return { url: api, ...apiFiles };
}

/** Why a daemon that listens on TCP does not announce it; '' if it does or does not listen on TCP. */
export function unannounced(cluster: Cluster, { listeners }: ClusterConfig): string {
  const self = cluster.hosts().find((host) => host.self);
  if (listeners.length === 0 || !self || self.api !== undefined) return '';
  const where = listeners.map(({ address, port }) => `${urlHost(address)}:${port}`).join(', ');
  return `the API is not announced to the cluster: other hosts know this host as ${self.address}, but it listens on ${where} only`;
}
