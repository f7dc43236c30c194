/**
 * Plans the NDP proxy of a network (`netyard.ndp_proxy=IF`): routers on the uplink that have no route to the network's
 * prefix solicit each container's address, and the host answers (ndisc_recv_ns of net/ipv6/ndisc.c). Pure.
 */
import type { KernelObject } from '@netyard/kernel';
import type { BridgeSettings } from '../../model.ts';
import { sysctlLink } from '../../object-names.ts';
import type { EndpointPlanInput } from '../driver.ts';

/** Identifies Netyard's entries (NDA_PROTOCOL); the number of its routes to peers, too. */
export const proxyProtocol = 78;

/** The setting of the uplink remains: other networks may need it, and without entries it has no effect. */
export function planNdpProxy(
  { ndpProxy: link }: BridgeSettings,
  { endpoint, facts }: EndpointPlanInput,
): KernelObject[] {
  const address = endpoint.addresses.v6?.address;
  if (link === undefined || address === undefined || !facts.ipv6) return [];
  return [
    { kind: 'sysctl', key: `net.ipv6.conf.${sysctlLink(link)}.proxy_ndp`, value: '1', keep: true },
    { kind: 'neighbour-proxy', link, address, protocol: proxyProtocol },
  ];
}
