/** Netyard's own routes for the cluster of which this host is a member. */
import type { ClusterReleaseResponse } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { z } from 'zod';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions, ClusterAdapter } from '../options.ts';
import { translateCluster, translateClusterHosts } from '../translate/cluster.ts';

const releaseSchema = z.object({ Host: z.string().min(1) });

export function clusterRoutes({ cluster, networks }: ApiOptions): Route[] {
  const member = (): ClusterAdapter => {
    if (cluster) return cluster;
    throw new NetyardError('conflict', 'this daemon is not a member of a cluster', {
      hint: 'start it with --cluster etcd://HOST',
    });
  };
  return [
    route('GET', '/netyard/v1/cluster', async (exchange) => {
      sendJson(exchange, 200, translateCluster(member()));
    }),
    route('GET', '/netyard/v1/cluster/hosts', async (exchange) => {
      const adapter = member();
      sendJson(exchange, 200, translateClusterHosts(adapter, await networks.peers()));
    }),
    route('POST', '/netyard/v1/cluster/leave', async (exchange) => {
      await member().leave();
      sendEmpty(exchange, 204);
    }),
    route('POST', '/netyard/v1/cluster/release', async (exchange) => {
      const { Host } = await readJson(exchange.request, releaseSchema);
      const answer: ClusterReleaseResponse = { Subnets: await member().release(Host) };
      sendJson(exchange, 200, answer);
    }),
  ];
}
