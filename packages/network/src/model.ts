/** Values that drivers, firewall and operations share: facts of the host, a network's bridge, owners of endpoints. Types only. */

/** Facts of the host that plans depend on; read at start. */
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

/** A network's bridge: the interface through which the host routes and filters its traffic. */
export interface BridgeSettings {
  networkId: string;
  networkName: string;
  /** Name of the bridge interface on the host. */
  link: string;
  /** `172.17.0.0/16` */
  subnet: string;
  prefixLength: number;
  gateway: string;
  broadcast: string;
  icc: boolean;
  masquerade: boolean;
  mtu: number;
  hostBinding: string;
  ipv6: boolean;
}

/** Whom an endpoint belongs to: a container, or the user of a namespace given by path. */
export interface EndpointOwner {
  kind: 'container' | 'endpoint';
  id: string;
  name: string;
}
