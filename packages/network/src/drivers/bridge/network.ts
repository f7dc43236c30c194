/** The plan of a bridge network without its endpoints: the bridge with its address and settings, its set elements. Pure. */
import { ipToBytes, macFromIpv4, parseIp } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import { valuesOf } from '../../family.ts';
import { planNetworkElements } from '../../firewall/network.ts';
import type { BridgeSettings, FamilySettings, HostFacts } from '../../model.ts';
import { bridgeOwner, sysctlLink } from '../../object-names.ts';
import { carriesIpv6 } from '../addresses.ts';
import { ndpProxySettings } from './ndp-proxy.ts';

export function planBridgeNetwork(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  const owner = bridgeOwner(bridge.networkName);
  const { link } = bridge;
  const gateway = bridge.v4?.gateway;
  // Without an IPv4 gateway the MAC is derived from the network's id.
  const mac = macFromIpv4(
    gateway === undefined ? Buffer.from(bridge.networkId.slice(0, 8), 'hex') : ipToBytes(parseIp(gateway)),
  );
  return [
    { kind: 'bridge', name: link, mac, mtu: bridge.mtu, owner, up: true, ...(bridge.existing ? { keep: true } : {}) },
    ...planBridgeSysctls(bridge, facts),
    ...planBridgeAddresses(bridge),
    ...planNetworkElements(bridge),
  ];
}

/** An address that an existing bridge has stays as it is, with another broadcast address or none. */
const planBridgeAddresses = (bridge: BridgeSettings): KernelObject[] =>
  valuesOf<FamilySettings>(bridge).flatMap(({ address: prefix, broadcast }): KernelObject[] => {
    const more = broadcast === undefined || bridge.existing ? {} : { broadcast };
    return prefix === undefined ? [] : [{ kind: 'address', link: bridge.link, prefix, ...more }];
  });

/**
 * route_localnet: replies to the host's own 127.0.0.1 arrive through the bridge (chain `martians` drops other traffic to
 * 127.0.0.0/8). Without icc the table `bridge netyard` drops every frame between ports of the bridge; with
 * proxy_arp_pvlan (RFC 3069) the host answers ARP for the neighbours, so that traffic allowed by a link is routed through
 * the host, where the firewall sees it with or without br_netfilter. For IPv6 the host answers by entries of the endpoints:
 * see ndp-proxy.ts.
 *
 * Router advertisements of a container must not change the host's routes (CVE-2020-13401). In mode isolated the host has
 * no IPv6 address on the bridge, not even a link-local one.
 */
function planBridgeSysctls(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  if (bridge.existing) return planExistingSysctls(bridge, facts);
  const link = sysctlLink(bridge.link);
  const set = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value });
  const hasAddress = bridge.v6 !== undefined && bridge.v6.gatewayMode !== 'isolated';
  const ipv6 = hasAddress ? { accept_ra: '0', disable_ipv6: '0' } : { disable_ipv6: '1' };
  const hasSettings = facts.ipv6 && carriesIpv6(bridge.mtu);
  return [
    ...(hasSettings ? Object.entries(ipv6).map(([name, value]) => set(`net.ipv6.conf.${link}.${name}`, value)) : []),
    ...(facts.ipForward ? [set(`net.ipv4.conf.${link}.forwarding`, '1')] : []),
    set(`net.ipv4.conf.${link}.route_localnet`, '1'),
    set(`net.ipv4.conf.${link}.proxy_arp_pvlan`, bridge.icc ? '0' : '1'),
    // Proxy ARP replies are delayed by up to 0.8 s by default (arp(7)), to let the real host answer first: none does here.
    ...(bridge.icc ? [] : [set(`net.ipv4.neigh.${link}.proxy_delay`, '0')]),
    ...(facts.ipv6 && hasAddress
      ? Object.entries(ndpProxySettings(bridge)).map(([key, value]) => set(key, value))
      : []),
  ];
}

/** A bridge that is not ours may be the host's own link to a network: only what containers need is changed. */
function planExistingSysctls(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  const link = sysctlLink(bridge.link);
  const settings = {
    ...(facts.ipv6 && bridge.v6 ? { [`net.ipv6.conf.${link}.disable_ipv6`]: '0' } : {}),
    ...(facts.ipForward ? { [`net.ipv4.conf.${link}.forwarding`]: '1' } : {}),
    [`net.ipv4.conf.${link}.route_localnet`]: '1',
    ...(bridge.icc
      ? {}
      : { [`net.ipv4.conf.${link}.proxy_arp_pvlan`]: '1', [`net.ipv4.neigh.${link}.proxy_delay`]: '0' }),
    ...(facts.ipv6 && bridge.v6 && !bridge.icc ? ndpProxySettings(bridge) : {}),
  };
  return Object.entries(settings).map(([key, value]) => ({ kind: 'sysctl', key, value }));
}
