/** The planner of networks whose endpoints are attached to an interface of the host: macvlan and ipvlan. Pure. */
import type { KernelObject } from '@netyard/kernel';
import type { HostFacts } from '../model.ts';
import { hasDefaultRoute, planAddresses, planDefaultRoutes, planInterfaceSettings } from './addresses.ts';
import type { EndpointPlanInput, HostLink, NetworkPlanner, ParentInterface } from './driver.ts';

interface AttachedPlans {
  parent: ParentInterface;
  /** Nothing leaves the network. */
  internal: boolean;
  /** The interface of an endpoint. */
  planLink(endpoint: EndpointPlanInput): KernelObject;
  /** An interface of the host on the same parent, through which host and endpoints reach each other. */
  hostAccess?: {
    hostLink: HostLink;
    plan(facts: HostFacts): KernelObject[];
    planRoutes(endpoint: EndpointPlanInput): KernelObject[];
  };
}

export function openAttachedPlanner({ parent, internal, planLink, hostAccess }: AttachedPlans): NetworkPlanner {
  const created = parent.created === undefined ? [] : [parent.created];
  // A host of the segment follows its routers, unless the network has a gateway.
  const acceptsAdvertisements = ({ endpoint }: EndpointPlanInput): boolean =>
    !internal && !hasDefaultRoute(endpoint.addresses.v6);
  const planRoutes = (endpoint: EndpointPlanInput): KernelObject[] => hostAccess?.planRoutes(endpoint) ?? [];
  return {
    bridge: undefined,
    hostLinks: [
      ...created.map(({ name }) => ({ link: name, addresses: [] })),
      ...(hostAccess === undefined ? [] : [hostAccess.hostLink]),
    ],
    planNetwork: (facts) => [...created, ...(hostAccess?.plan(facts) ?? [])],
    planEndpoint: (endpoint) => {
      const link = planLink(endpoint);
      return [
        link,
        ...planInterfaceSettings(endpoint, {
          acceptsAdvertisements: acceptsAdvertisements(endpoint),
          mtu: 'mtu' in link ? link.mtu : undefined,
        }),
        ...planAddresses(endpoint),
        ...planDefaultRoutes(endpoint),
        ...planRoutes(endpoint),
      ];
    },
    planHostElements: planRoutes,
    planInterface: (endpoint) => [planLink(endpoint)],
    planDefaultRoutes,
    planSources: () => [],
    planPorts: () => [],
  };
}
