/** Plans of a bridge network and its endpoints. Pure. */
import type { NetworkRecord } from '../../contract.ts';
import { planDefaultRoutes } from '../addresses.ts';
import type { NetworkPlanner } from '../driver.ts';
import { planEndpoint, planHostElements, planPorts, planSources, planVeth } from './endpoint.ts';
import { planNdpProxy } from './ndp-proxy.ts';
import { planBridgeNetwork } from './network.ts';
import { bridgeSettings, canHaveSegments } from './options.ts';
import { planSegment } from './segment.ts';

export function openBridgePlanner(record: NetworkRecord, mtuLimit?: number): NetworkPlanner {
  const bridge = bridgeSettings(record, mtuLimit);
  return {
    bridge,
    planNetwork: (facts) => planBridgeNetwork(bridge, facts),
    ...(canHaveSegments(record) ? { planSegment: (segment, facts) => planSegment(bridge, segment, facts) } : {}),
    planEndpoint: (endpoint) => planEndpoint(bridge, endpoint),
    planHostElements: (endpoint) => [...planHostElements(bridge, endpoint), ...planNdpProxy(bridge, endpoint)],
    planInterface: (endpoint) => [planVeth(bridge, endpoint)],
    planDefaultRoutes,
    planSources: (endpoint, others) => planSources(bridge, endpoint, others),
    planPorts: (endpoint, ports) => planPorts(bridge, endpoint, ports),
  };
}
