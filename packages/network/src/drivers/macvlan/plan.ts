/** Plans of the endpoints of a macvlan network; the network itself has no objects. Pure. */
import type { MacvlanObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { planAddresses, planDefaultRoutes, planInterfaceSettings } from '../addresses.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';
import { type MacvlanSettings, macvlanSettings } from './options.ts';

export function openMacvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const settings = macvlanSettings(record);
  return {
    bridge: undefined,
    planNetwork: () => [],
    planEndpoint: (endpoint) => [
      planMacvlan(settings, endpoint),
      ...planInterfaceSettings(endpoint),
      ...planAddresses(endpoint),
      ...planDefaultRoutes(endpoint),
    ],
    planHostElements: () => [],
    planInterface: (endpoint) => [planMacvlan(settings, endpoint)],
    planDefaultRoutes,
    planSources: () => [],
    planPorts: () => [],
  };
}

const planMacvlan = (settings: MacvlanSettings, { endpoint, netnsPath: ns }: EndpointPlanInput): MacvlanObject => ({
  ...{ kind: 'macvlan', ns, name: endpoint.link, ...settings, mac: endpoint.mac, up: true },
});
