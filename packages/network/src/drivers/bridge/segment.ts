/**
 * Plans the segments of a large network: further bridges, each joined to the network's own by a veth pair. For each new or
 * deleted port the kernel walks over all ports of the bridge (br_add_if, br_port_state_selection), and a bridge has at
 * most 1023. See docs/decisions/0044. Pure.
 */
import { macFromIpv4 } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { element } from '../../firewall/table.ts';
import type { BridgeSettings, HostFacts } from '../../model.ts';
import { segmentLinks, segmentOwner, sysctlLink } from '../../object-names.ts';
import { carriesIpv6 } from '../addresses.ts';

/**
 * In creation order. The host has no address on the segment's bridge, answers no ARP request there (arp_ignore), accepts no
 * packet that is sent to its MAC (rp_filter: no route leads back by it), past rules for the network's own bridge, and
 * forwards none. Its gateway is behind the uplink, as for each switch.
 */
export function planSegment(bridge: BridgeSettings, segment: number, facts: HostFacts): KernelObject[] {
  const { networkId, networkName, mtu, link: master } = bridge;
  const links = segmentLinks(networkId, segment);
  const owner = segmentOwner(networkName, networkId, segment);
  const setting = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value });
  const name = sysctlLink(links.bridge);
  return [
    { kind: 'bridge', name: links.bridge, mac: segmentMac(networkId, segment), mtu, owner, up: true },
    ...(facts.ipv6 && carriesIpv6(mtu) ? [setting(`net.ipv6.conf.${name}.disable_ipv6`, '1')] : []),
    setting(`net.ipv4.conf.${name}.arp_ignore`, '8'),
    setting(`net.ipv4.conf.${name}.rp_filter`, '1'),
    ...(facts.ipForward ? [setting(`net.ipv4.conf.${name}.forwarding`, '0')] : []),
    // As for the ports of endpoints: the host sees packets of the whole segment arrive by the trunk.
    ...(bridge.internal && bridge.v6
      ? [element('relay_denied_ports', `"${links.trunk}"`, { comment: `segment ${segment}` })]
      : []),
    {
      kind: 'veth',
      name: links.trunk,
      mtu,
      owner,
      master,
      up: true,
      peer: { name: links.uplink, master: links.bridge, up: true },
    },
  ];
}

/** As no container's, whose MAC contains an IPv4 address: none begins with 255. */
const segmentMac = (networkId: string, segment: number): string =>
  macFromIpv4(Buffer.from([255, Number.parseInt(networkId.slice(0, 2), 16), segment >> 8, segment & 255]));

type BridgeNetfilter = Pick<HostFacts, 'bridgeNetfilter' | 'bridgeNetfilter6'>;

/**
 * Not with br_netfilter: translated packets would pass connection tracking again on each further bridge, which drops them,
 * since their replies are those of a known connection.
 */
export const allowsSegments = (facts: BridgeNetfilter): boolean => !facts.bridgeNetfilter && !facts.bridgeNetfilter6;

/** The bridge of which an endpoint's interface is a port. */
export const masterOf = (
  { link, networkId }: Pick<BridgeSettings, 'link' | 'networkId'>,
  { segment = 0 }: { segment?: number },
  facts: BridgeNetfilter,
): string => (segment > 0 && allowsSegments(facts) ? segmentLinks(networkId, segment).bridge : link);
