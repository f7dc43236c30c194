/** Plans of a network of the cluster and its endpoints: those of a bridge network, and routes to the other hosts' parts. Pure. */
import type { RouteObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { families, ofFamily } from '../../family.ts';
import { openBridgePlanner } from '../bridge/plan.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';

export function openOverlayPlanner(record: NetworkRecord, mtuLimit?: number): NetworkPlanner {
  const planner = openBridgePlanner(record, mtuLimit);
  return {
    ...planner,
    planEndpoint: (endpoint) => [...planner.planEndpoint(endpoint), ...planPartsRoutes(record, endpoint)],
  };
}

/**
 * The default route may lead through another network's gateway, and the container's address on that one would be the source
 * of the packets, which the other hosts drop.
 */
function planPartsRoutes(
  { cluster, ipam }: NetworkRecord,
  { endpoint, netnsPath: ns }: EndpointPlanInput,
): RouteObject[] {
  return families.flatMap((family): RouteObject[] => {
    const whole = ofFamily(cluster, family);
    const via = ipam[family]?.[0]?.gateway; // endpoints of an internal network have none
    if (endpoint.addresses[family] === undefined || whole === undefined || via === undefined) return [];
    return [{ kind: 'route', ns, to: whole.subnet, via, link: endpoint.link }];
  });
}
