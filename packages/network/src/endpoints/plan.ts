/** Plans of an attached endpoint: its objects in creation order, and those to delete. Pure. */
import type { KernelObject, NftElementObject } from '@netyard/kernel';
import type { EndpointRecord } from '../contract.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../drivers/driver.ts';
import type { EndpointOwner, HostFacts } from '../model.ts';

export interface EndpointPlan {
  /** Everything that the endpoint consists of. */
  objects: KernelObject[];
  /** What to delete: the rest vanishes with the interface. */
  removal: KernelObject[];
  interfaces: KernelObject[];
  ports: NftElementObject[];
}

export const ownerOf = ({ id, name }: EndpointRecord): EndpointOwner => ({ kind: 'endpoint', id, name });

export function planAttached(record: EndpointRecord, planner: NetworkPlanner, facts: HostFacts): EndpointPlan {
  const { netnsPath, endpoint, defaultRoute } = record;
  const owner = ownerOf(record);
  const gatewayOf = (isGateway: boolean) => ({
    isGateway: { v4: isGateway, v6: isGateway },
    hasIpv6Ports: true,
  });
  const input: EndpointPlanInput = { owner, netnsPath, endpoint, ...gatewayOf(defaultRoute), facts };
  const ports = planner.planPorts({ ...input, ...gatewayOf(true) }, record.ports);
  const interfaces = planner.planInterface(input);
  return {
    objects: [...planner.planEndpoint(input), ...ports],
    removal: [...planner.planHostElements(input), ...interfaces, ...ports],
    interfaces,
    ports,
  };
}
