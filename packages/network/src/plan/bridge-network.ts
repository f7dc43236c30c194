/**
 * The plan of a bridge network without its containers: our table, forwarding, the bridge with its address, and what
 * the network puts into the sets. Order is the order of making. Pure.
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
   * Bridged IPv4 passes through `ip` chains too (net.bridge.bridge-nf-call-iptables). Then the bridge itself sends a
   * published container's packets back to it when it asks for itself, which needs hairpin ports.
   */
  bridgeNetfilter: boolean;
  /** Some bridge keeps its containers apart (`--icc=false`). */
  isolates: boolean;
  /** `--ip-forward`. */
  ipForward: boolean;
  /** It was the daemon, not the host's administrator, that switched forwarding on. */
  switchedForwarding: boolean;
  /** Not with `--ip-forward-no-drop`: forwarding that the daemon switched on is for containers only. */
  dropsStrangers: boolean;
  /** Links of the bridges of other engines. */
  engineBridges: readonly string[];
  /** The kernel can hold tables for the daemon: see firewall/guard.ts. */
  guarded: boolean;
}

/** The element of `switched_on` that remembers it. */
export const forwardingKey = '"ip_forward"';

/** Packets between links that are not Netyard's are dropped. */
export const routesOnlyContainers = (facts: HostFacts): boolean => facts.switchedForwarding && facts.dropsStrangers;

/** Things of the host that all networks stand on. */
export function planHost(facts: HostFacts): KernelObject[] {
  const forward: KernelObject = { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1', keep: true };
  const { guarded, isolates } = facts;
  const routesOnlyOwn = routesOnlyContainers(facts);
  return [
    // The drop is there before the forwarding that it is for.
    ...planTables({ marks: facts.bridgeNetfilter && isolates, routesOnlyOwn, guarded }),
    ...(facts.switchedForwarding ? [element('switched_on', forwardingKey, { comment: 'by the daemon' })] : []),
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
 * route_localnet: answers to the host's own 127.0.0.1 come back through the bridge (chain `martians` keeps strangers
 * out). Without icc no frame passes between the bridge's ports (table `bridge netyard`); proxy_arp_pvlan (RFC 3069)
 * makes the host answer for the neighbours, so that what a link allows is routed through the host, where the firewall
 * sees it with or without br_netfilter.
 */
function planBridgeSysctls(bridge: BridgeSettings, facts: HostFacts): KernelObject[] {
  const link = sysctlLink(bridge.link);
  const set = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value });
  return [
    ...(facts.ipv6 && !bridge.ipv6 ? [set(`net.ipv6.conf.${link}.disable_ipv6`, '1')] : []),
    ...(facts.ipForward ? [set(`net.ipv4.conf.${link}.forwarding`, '1')] : []),
    set(`net.ipv4.conf.${link}.route_localnet`, '1'),
    set(`net.ipv4.conf.${link}.proxy_arp_pvlan`, bridge.icc ? '0' : '1'),
    // Answers for others wait up to 0.8 s unless told (arp(7)): there is nobody here to let go first.
    ...(bridge.icc ? [] : [set(`net.ipv4.neigh.${link}.proxy_delay`, '0')]),
  ];
}
