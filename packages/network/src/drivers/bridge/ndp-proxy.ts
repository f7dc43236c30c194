/**
 * Plans the NDP proxies of a network: the host answers neighbour solicitations for the addresses of its endpoints
 * (ndisc_recv_ns of net/ipv6/ndisc.c). On an uplink (`netyard.ndp_proxy=IF`) those of routers that have no route to the
 * network's prefix, on a bridge without traffic between its ports those of the containers. Pure.
 */
import type { KernelObject } from '@netyard/kernel';
import type { BridgeSettings } from '../../model.ts';
import { sysctlLink } from '../../object-names.ts';
import type { EndpointPlanInput } from '../driver.ts';

/** Identifies Netyard's entries (NDA_PROTOCOL); the number of its routes to peers, too. */
export const proxyProtocol = 78;

/**
 * Of a bridge whose ports are isolated (icc=false): the host answers for each endpoint, so that packets of linked containers
 * are routed through it. Without the delay of proxies, since no other host answers.
 */
export function ndpProxySettings({ link, icc }: Pick<BridgeSettings, 'link' | 'icc'>): Record<string, string> {
  const name = sysctlLink(link);
  if (icc) return { [`net.ipv6.conf.${name}.proxy_ndp`]: '0' };
  return { [`net.ipv6.conf.${name}.proxy_ndp`]: '1', [`net.ipv6.neigh.${name}.proxy_delay`]: '0' };
}

/** Interfaces on which the host answers for the endpoints of a network. */
export function ndpProxyLinks({
  link,
  icc,
  v6,
  ndpProxy,
}: Pick<BridgeSettings, 'link' | 'icc' | 'v6' | 'ndpProxy'>): string[] {
  if (v6 === undefined) return [];
  const answersOnBridge = !icc && v6.gatewayMode !== 'isolated';
  return [...(answersOnBridge ? [link] : []), ...(ndpProxy === undefined ? [] : [ndpProxy])];
}

/** The setting of the uplink remains: other networks may need it, and without entries it has no effect. */
export function planNdpProxy(bridge: BridgeSettings, { endpoint, facts }: EndpointPlanInput): KernelObject[] {
  const address = endpoint.addresses.v6?.address;
  if (address === undefined || !facts.ipv6) return [];
  const key = `net.ipv6.conf.${sysctlLink(bridge.ndpProxy ?? '')}.proxy_ndp`;
  return [
    ...(bridge.ndpProxy === undefined ? [] : [{ kind: 'sysctl', key, value: '1', keep: true } as const]),
    ...ndpProxyLinks(bridge).map(
      (link) => ({ kind: 'neighbour-proxy', link, address, protocol: proxyProtocol }) as const,
    ),
  ];
}
