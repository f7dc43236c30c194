/**
 * The plan of a bridge network without its containers: Netyard's tables, IP forwarding, the bridge with its address, and
 * the network's set elements. In creation order. Pure.
 */
import { ipToBytes, macFromIpv4, parseIp } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import type { BridgeSettings } from '../bridge-settings.ts';
import { planNetworkElements } from '../firewall/network.ts';
import { element, planTables } from '../firewall/table.ts';
import { bridgeOwner, sysctlLink } from '../object-names.ts';

export interface HostFacts {
  /** The host's kernel has IPv6. */
  ipv6: boolean;
  /**
   * Bridged IPv4 also traverses `ip` chains (net.bridge.bridge-nf-call-iptables). Packets of a container to its own
   * published port are then sent back through the bridge port they came from, which requires hairpin mode.
   */
  bridgeNetfilter: boolean;
  /** At least one bridge isolates its containers (`--icc=false`). */
  isolates: boolean;
  /** `--ip-forward`. */
  ipForward: boolean;
  /** The daemon, not the host's administrator, enabled IP forwarding. */
  enabledForwarding: boolean;
  /** Not with `--ip-forward-no-drop`: forwarding enabled by the daemon is for containers only. */
  dropsForeignForwarding: boolean;
  /** Interface names of the bridges of other container engines. */
  engineBridges: readonly string[];
  /** The kernel supports tables owned by a socket: see firewall/guard.ts. */
  guarded: boolean;
}

/** The element of `switched_on` that records who enabled forwarding. */
export const forwardingKey = '"ip_forward"';

/** Whether packets between interfaces that are not Netyard's are dropped. */
export const routesOnlyContainers = (facts: HostFacts): boolean =>
  facts.enabledForwarding && facts.dropsForeignForwarding;

/** Host-wide objects that all networks depend on. */
export function planHost(facts: HostFacts): KernelObject[] {
  const forward: KernelObject = { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1', keep: true };
  const { guarded, isolates } = facts;
  const routesOnlyOwn = routesOnlyContainers(facts);
  return [
    // The drop rules precede the forwarding that they restrict.
    ...planTables({ marks: facts.bridgeNetfilter && isolates, routesOnlyOwn, guarded }),
    ...(facts.enabledForwarding ? [element('switched_on', forwardingKey, { comment: 'by the daemon' })] : []),
    ...(routesOnlyOwn ? facts.engineBridges.map(planEngineBridge) : []),
    ...(facts.ipForward ? [forward] : []),
  ];
}

const planEngineBridge = (link: string): KernelObject =>
  element('engine_bridges', `"${link}"`, { comment: 'of another engine' });

export function planBridgeNetwork(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  const owner = bridgeOwner(bridge.networkName);
  const mac = macFromIpv4(ipToBytes(parseIp(bridge.gateway)));
  return [
    { kind: 'bridge', name: bridge.link, mac, mtu: bridge.mtu, owner, up: true },
    ...planBridgeSysctls(bridge, facts),
    {
      kind: 'address',
      link: bridge.link,
      prefix: `${bridge.gateway}/${bridge.prefixLength}`,
      broadcast: bridge.broadcast,
    },
    ...planNetworkElements(bridge),
  ];
}

/**
 * route_localnet: replies to the host's own 127.0.0.1 arrive through the bridge (chain `martians` drops other traffic to
 * 127.0.0.0/8). Without icc the table `bridge netyard` drops every frame between ports of the bridge; with
 * proxy_arp_pvlan (RFC 3069) the host answers ARP for the neighbours, so that traffic allowed by a link is routed through
 * the host, where the firewall sees it with or without br_netfilter.
 */
function planBridgeSysctls(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  const link = sysctlLink(bridge.link);
  const set = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value });
  return [
    ...(facts.ipv6 && !bridge.ipv6 ? [set(`net.ipv6.conf.${link}.disable_ipv6`, '1')] : []),
    ...(facts.ipForward ? [set(`net.ipv4.conf.${link}.forwarding`, '1')] : []),
    set(`net.ipv4.conf.${link}.route_localnet`, '1'),
    set(`net.ipv4.conf.${link}.proxy_arp_pvlan`, bridge.icc ? '0' : '1'),
    // Proxy ARP replies are delayed by up to 0.8 s by default (arp(7)), to let the real host answer first: none does here.
    ...(bridge.icc ? [] : [set(`net.ipv4.neigh.${link}.proxy_delay`, '0')]),
  ];
}
