/** Plans of the endpoints of an ipvlan network; the network itself has no objects. Pure. */
import type { IpvlanObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { planAddresses, planDefaultRoutes, planInterfaceSettings } from '../addresses.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';
import { type IpvlanSettings, ipvlanSettings } from './options.ts';

export function openIpvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const settings = ipvlanSettings(record);
  return {
    bridge: undefined,
    planNetwork: () => [],
    planEndpoint: (endpoint) => [
      planIpvlan(settings, endpoint),
      ...planInterfaceSettings(endpoint),
      ...planAddresses(endpoint),
      ...planDefaultRoutes(endpoint),
    ],
    planHostElements: () => [],
    planInterface: (endpoint) => [planIpvlan(settings, endpoint)],
    planDefaultRoutes,
    planSources: () => [],
    planPorts: () => [],
  };
}

const planIpvlan = (settings: IpvlanSettings, { endpoint, netnsPath: ns }: EndpointPlanInput): IpvlanObject => ({
  ...{ kind: 'ipvlan', ns, name: endpoint.link, ...settings, up: true },
});
