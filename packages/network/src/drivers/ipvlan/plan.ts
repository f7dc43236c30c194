/** Plans of the endpoints of an ipvlan network; the network itself has no objects. Pure. */
import type { IpvlanObject, KernelObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { sysctlLink } from '../../object-names.ts';
import { planAddresses, planDefaultRoute } from '../addresses.ts';
import type { EndpointPlanInput, NetworkPlanner } from '../driver.ts';
import { type IpvlanSettings, ipvlanSettings } from './options.ts';

export function openIpvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const settings = ipvlanSettings(record);
  const hasIpv6 = record.ipam.v6 !== undefined;
  return {
    bridge: undefined,
    planNetwork: () => [],
    planEndpoint: (endpoint) => [
      planIpvlan(settings, endpoint),
      ...(hasIpv6 ? [] : planNoIpv6(endpoint)),
      ...planAddresses(endpoint),
      ...(endpoint.isGateway ? planDefaultRoute(endpoint) : []),
    ],
    planHostElements: () => [],
    planInterface: (endpoint) => [planIpvlan(settings, endpoint)],
    planDefaultRoute: (endpoint) => planDefaultRoute(endpoint),
    planSources: () => [],
    planPorts: () => [],
  };
}

const planIpvlan = (settings: IpvlanSettings, { endpoint, netnsPath: ns }: EndpointPlanInput): IpvlanObject => ({
  ...{ kind: 'ipvlan', ns, name: endpoint.link, ...settings, up: true },
});

function planNoIpv6({ endpoint, netnsPath: ns, facts }: EndpointPlanInput): KernelObject[] {
  const key = `net.ipv6.conf.${sysctlLink(endpoint.link)}.disable_ipv6`;
  return facts.ipv6 ? [{ kind: 'sysctl', ns, key, value: '1' }] : [];
}
