/** Plans of the endpoints of a macvlan network; the network itself has no objects. Pure. */
import type { KernelObject, MacvlanObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { sysctlLink } from '../../object-names.ts';
import { planAddresses, planDefaultRoute } from '../addresses.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';
import { type MacvlanSettings, macvlanSettings } from './options.ts';

export function openMacvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const settings = macvlanSettings(record);
  const hasIpv6 = record.ipam.v6 !== undefined;
  return {
    bridge: undefined,
    planNetwork: () => [],
    planEndpoint: (endpoint) => [
      planMacvlan(settings, endpoint),
      ...(hasIpv6 ? [] : planNoIpv6(endpoint)),
      ...planAddresses(endpoint),
      ...(endpoint.isGateway ? planDefaultRoute(endpoint) : []),
    ],
    planHostElements: () => [],
    planInterface: (endpoint) => [planMacvlan(settings, endpoint)],
    planDefaultRoute: (endpoint) => planDefaultRoute(endpoint),
    planSources: () => [],
    planPorts: () => [],
  };
}

const planMacvlan = (settings: MacvlanSettings, { endpoint, netnsPath: ns }: EndpointPlanInput): MacvlanObject => ({
  ...{ kind: 'macvlan', ns, name: endpoint.link, ...settings, mac: endpoint.mac, up: true },
});

function planNoIpv6({ endpoint, netnsPath: ns, facts }: EndpointPlanInput): KernelObject[] {
  const key = `net.ipv6.conf.${sysctlLink(endpoint.link)}.disable_ipv6`;
  return facts.ipv6 ? [{ kind: 'sysctl', ns, key, value: '1' }] : [];
}
