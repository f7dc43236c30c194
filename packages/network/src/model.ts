/** Values that drivers, firewall and operations share: facts of the host, a network's bridge, owners of endpoints. Types only. */
import type { PerFamily } from './family.ts';

/** Facts of the host that plans depend on; read at start. */
export interface HostFacts {
  /** The host's kernel has IPv6. */
  ipv6: boolean;
  /** The host has IPv6 addresses: ports that are published on all addresses are published on [::], too. */
  ipv6Addresses: boolean;
  /**
   * Bridged IPv4 also traverses `ip` chains (net.bridge.bridge-nf-call-iptables). Packets of a container to its own
   * published port are then sent back through the bridge port they came from, which requires hairpin mode.
   */
  bridgeNetfilter: boolean;
  /** The same for IPv6 and `ip6` chains (net.bridge.bridge-nf-call-ip6tables). */
  bridgeNetfilter6: boolean;
  /** At least one bridge isolates its containers (`--icc=false`). */
  isolates: boolean;
  /** At least one bridge checks the source addresses of its containers' frames: see `BridgeSettings.checksSources`. */
  checksSources: boolean;
  /** At least one network has IPv6. */
  ipv6Networks: boolean;
  /** `--ip-forward`. */
  ipForward: boolean;
  /** The daemon, not the host's administrator, enabled IPv4 forwarding. */
  enabledForwarding: boolean;
  /** The same for IPv6, which the daemon enables with the first network that has IPv6. */
  enabledIpv6Forwarding: boolean;
  /**
   * Interfaces whose default route comes from router advertisements: the kernel deletes it when IPv6 forwarding is
   * enabled, unless they have accept_ra=2 (moby#43466). Empty once it is enabled.
   */
  advertisedUplinks: readonly string[];
  /** Not with `--ip-forward-no-drop`: forwarding enabled by the daemon is for containers only. */
  dropsForeignForwarding: boolean;
  /** Interface names of the bridges of other container engines. */
  engineBridges: readonly string[];
  /** The kernel supports tables owned by a socket: see firewall/guard.ts. */
  guarded: boolean;
}

/**
 * How a bridge network and the outside reach each other (`gateway_mode_ipv4`, `gateway_mode_ipv6`): published ports by DNAT, and all else
 * dropped (nat) or accepted (nat-unprotected); by routes, without address translation (routed); not at all, and without
 * an address of the host on the bridge (isolated).
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** What a bridge has per address family. */
export interface FamilySettings {
  /** `172.17.0.0/16`, `fd7a:1:2:3::/64` */
  subnet: string;
  prefixLength: number;
  /** Absent in mode isolated. */
  gateway?: string;
  /** The host's own address on the bridge, with prefix length. Absent in mode isolated and with `inhibit_ipv4`. */
  address?: string;
  /** IPv4 only. */
  broadcast?: string;
  /** Of a network of the cluster: the subnet of which `subnet` is this host's part. */
  wholeSubnet?: string;
  gatewayMode: GatewayMode;
  /** Packets that leave the host get a source address of the host. */
  masquerade: boolean;
  /** That source address (`host_ipv4`, `host_ipv6`). Default: the output interface's. */
  sourceAddress?: string;
}

/**
 * A network's bridge: the interface through which the host routes and filters its traffic. A family is absent when the
 * network does not have it.
 */
export interface BridgeSettings extends PerFamily<FamilySettings> {
  networkId: string;
  networkName: string;
  /** Name of the bridge interface on the host. */
  link: string;
  /** It existed before the network, and stays: see `NetworkRecord.existingBridge`. */
  existing: boolean;
  icc: boolean;
  /** Nothing enters the bridge from outside or leaves it; only the host itself is reachable. */
  internal: boolean;
  /** Input interfaces from which published ports are reachable at the containers' own addresses. */
  trustedInterfaces: readonly string[];
  mtu: number;
  /** Host address of ports that are published without one. */
  hostBinding: string;
  /** The uplink on which the host answers neighbour solicitations for the addresses of containers. */
  ndpProxy?: string;
  /** Containers of peers reach this network's containers: the default bridge, and networks with `netyard.peers=accept`. */
  acceptsPeers: boolean;
  /** Drops frames of an endpoint whose source MAC or IP address is not the endpoint's (anti-spoofing). */
  checksSources: boolean;
}

/** Whom an endpoint belongs to: a container, or the user of a namespace given by path. */
export interface EndpointOwner {
  kind: 'container' | 'endpoint';
  id: string;
  name: string;
}
