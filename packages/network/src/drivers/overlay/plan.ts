/** Plans of a network of the cluster and its endpoints: those of a bridge network, and a route to the other hosts' parts. Pure. */
import type { RouteObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { openBridgePlanner } from '../bridge/plan.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';

export function openOverlayPlanner(record: NetworkRecord, mtuLimit?: number): NetworkPlanner {
  const planner = openBridgePlanner(record, mtuLimit);
  return {
    ...planner,
    planEndpoint: (endpoint) => [...planner.planEndpoint(endpoint), ...planPartsRoute(record, endpoint)],
  };
}

/**
 * The default route may lead through another network's gateway, and the container's address on that one would be the source
 * of the packets, which the other hosts drop.
 */
function planPartsRoute(
  { cluster, ipam }: NetworkRecord,
  { endpoint, netnsPath: ns }: EndpointPlanInput,
): RouteObject[] {
  const via = ipam.v4?.[0]?.gateway; // endpoints of an internal network have none
  if (cluster === undefined || via === undefined) return [];
  return [{ kind: 'route', ns, to: cluster.subnet, via, link: endpoint.link }];
}
