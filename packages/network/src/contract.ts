/**
 * The public API of the network package, and the ports (interfaces) that its adapters implement. An *endpoint* attaches a
 * namespace to one network: an address, a MAC, an interface. References (`ref`) are a name, an id or an unambiguous id
 * prefix. Nothing here depends on containers or HTTP.
 */
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import type { PeerRequest, PeerStore } from '@netyard/peers';
import type { EndpointRecord, EndpointState } from './endpoint-contract.ts';
import type { Family, PerFamily } from './family.ts';

export type * from './endpoint-contract.ts';
export type { Family, PerFamily } from './family.ts';

/** One subnet. */
export interface IpamPool {
  /** In a request '' for an automatic one, and `0.0.0.0/24` for an automatic one of this size. */
  subnet: string;
  gateway?: string;
  /** Part of the subnet from which dynamic addresses are allocated. */
  range?: string;
  auxAddresses?: Record<string, string>;
}

/** The subnets per family, in the order given; an absent family is disabled. */
export interface NetworkIpam extends PerFamily<IpamPool[]> {
  driver: string;
  /** Options of the driver, which has none: stored and shown, as in Docker. */
  options?: Record<string, string>;
}

export interface NetworkRecord {
  id: string;
  name: string;
  /** Name of a driver of drivers/index.ts, such as bridge. */
  driver: string;
  /** Nanoseconds since 1970. */
  created: bigint;
  ipam: NetworkIpam;
  internal: boolean;
  attachable: boolean;
  /** Docker's driver options, such as com.docker.network.bridge.name. */
  options: Record<string, string>;
  /** The parent is a VLAN sub-interface that Netyard created, and removes with the last network on it. */
  createdParent?: true;
  labels: Record<string, string>;
  /** bridge, host and none: created by Netyard, cannot be removed. */
  predefined: boolean;
  /**
   * The bridge existed before the network and is not deleted with it: the addresses that it had, with prefix length, and
   * the former values of the settings that the network changes.
   */
  existingBridge?: { addresses: string[]; sysctls: Record<string, string> };
  /** Of a configuration-only network: the addresses of the networks that are created from it. It has none of its own. */
  configuration?: NetworkIpam;
  /** Name of the configuration-only network from which this one was created. */
  configFrom?: string;
  /** Of a network of the cluster; `ipam` has this host's part of its subnet. */
  cluster?: ClusterSubnets;
}

/** A subnet of a network of the cluster, of which each host has a part. */
export interface ClusterSubnet {
  subnet: string;
  /** Prefix length of a part. */
  partSize: number;
}

/** The IPv4 subnet, and that of IPv6 if the network has it. */
export interface ClusterSubnets extends ClusterSubnet {
  ipv6?: ClusterSubnet;
}

export interface NetworkUse {
  containerId: string;
  containerName: string;
  endpoint: EndpointState;
}

export type NetworkEvent = {
  type: 'network';
  /**
   * `refuse`: a peer announced by the cluster is rejected; `conflict`: another program's route takes packets to containers
   * elsewhere, until `conflict-end`. `detail` says which, and why. `repair-failed`: `detail` is the error.
   */
  action:
    | 'create'
    | 'connect'
    | 'disconnect'
    | 'destroy'
    | 'repair'
    | 'repair-failed'
    | 'refuse'
    | 'conflict'
    | 'conflict-end';
  networkId: string;
  networkName: string;
  driver: string;
  containerId?: string;
  /** For repair: what was repaired, as equivalent commands; for refuse: `peer NAME: PROBLEM`. */
  detail?: string;
  /** For repair: the kind of each repaired object. */
  repaired?: readonly KernelObject['kind'][];
  /** For repair: what was executed. `create`: the object was missing; `change`: it differed; `delete`: it is in no plan. */
  operations?: readonly KernelOperation[];
};

export interface CreateNetworkRequest {
  name: string;
  driver: string;
  /** Docker's scopes: '' and `local` are the same. */
  scope?: string;
  ingress?: boolean;
  /** Only stores the configuration, for networks that name it as `configFrom`. */
  configOnly?: boolean;
  /** '' as undefined. */
  configFrom?: string;
  /** Subnets per family; a family without any is enabled by an empty list. Default: IPv4. */
  ipam?: Partial<NetworkIpam>;
  /**
   * As in Docker: the enabled families, whether or not `ipam` has subnets of them. A family without a value is enabled by
   * the driver option `com.docker.network.enable_ipv4` or `…6`; by default IPv4 is.
   */
  enable?: PerFamily<boolean>;
  internal?: boolean;
  attachable?: boolean;
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

/** A block of addresses that is cut into subnets of one size. */
export interface SubnetPool {
  /** `172.18.0.0/16` */
  base: string;
  /** Prefix length of its subnets. */
  size: number;
}

/** `--repair-containers`. */
export type RepairPolicy = 'auto' | 'always' | 'never';

/** IPv6 of the default bridge: `--bip6`, `--fixed-cidr-v6`, `--default-gateway-v6`. */
export interface DefaultBridgeIpv6 {
  /** Address and prefix length. Default: the first one of `fixedCidr`, else of an automatic subnet. */
  bip?: string;
  fixedCidr?: string;
  defaultGateway?: string;
}

/** Settings from the daemon's flags; frozen. */
export interface NetworkSettings {
  /** `--bip`: address and prefix length of the default bridge. Default 172.17.0.1/16. */
  bip: string;
  /** Interface name of the default bridge. Default docker0, or ny0 when dockerd's docker0 exists. */
  bridgeName: string;
  /** `--icc`: containers of the default bridge may communicate freely. */
  icc: boolean;
  /** `--mtu`: 0 = the MTU of the uplink. */
  mtu: number;
  /** `--ip`: host address for published ports when `-p` names none. */
  defaultHostAddress: string;
  /** `--ip-forward`, `--ip-masq`. */
  ipForward: boolean;
  /**
   * Not `--ip-forward-no-drop`: where the daemon itself enabled IP forwarding, forwarded packets that neither come from
   * nor go to containers are dropped. Default true.
   */
  dropForeignForwarding?: boolean;
  ipMasquerade: boolean;
  /**
   * `--foreign-firewall`: add accept rules for the bridges to other programs' forward chains that drop. Default true.
   */
  foreignFirewall?: boolean;
  /**
   * `--ports-per-bridge`: how many endpoints of a network are ports of one bridge before it gets another one. 0: as many
   * as the kernel allows, and no second bridge.
   */
  portsPerBridge?: number;
  /** `--tunnel-firewall`: packets of tunnels to peers pass the firewall. Default true. */
  tunnelFirewall?: boolean;
  /**
   * `--repair-containers`: whether changes inside containers are undone. `auto`, the default: unless the container has
   * CAP_NET_ADMIN. A container's own label takes precedence.
   */
  repairContainers?: RepairPolicy;
  /** `--fixed-cidr`: the part of the default bridge's subnet to allocate addresses from. */
  fixedCidr?: string;
  /** `--default-gateway`: what its containers route through instead of the bridge. */
  defaultGateway?: string;
  /** `--host-gateway-ip`: the addresses that `host-gateway` stands for. Default: those of the default bridge. */
  hostGateways?: readonly string[];
  /** `--ipv6`: the default bridge has IPv6, too. */
  bridgeIpv6?: DefaultBridgeIpv6;
  /** `--default-address-pool`: pools of automatic subnets. A family without any has the default ones. */
  defaultAddressPools?: readonly SubnetPool[];
  /** `--default-network-opt`: options of new networks, by driver. */
  defaultNetworkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The default pool of IPv6, unique local addresses, is derived from it. */
  daemonId?: string;
  /** Prefixes of which other hosts get subnets, such as the cluster's pool: no automatic subnet overlaps with them. */
  reservedSubnets?: readonly string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** `--peer`: peers from the configuration. */
  peers?: readonly PeerRequest[];
  /**
   * `--cluster`: more peers will follow by `setClusterPeers`. Until its first call, kernel objects of unknown peers are
   * kept, since the cluster may name those peers.
   */
  awaitClusterPeers?: boolean;
  /** `--cluster-publish-names`: publish names of containers without an option of their own. Default false. */
  publishNames?: boolean;
  /** DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1: set the legacy environment variables of links. Default false. */
  legacyLinkEnvironment?: boolean;
  /** The host's /etc/resolv.conf and /etc/hosts. Parameters, so that tests do not need root. */
  hostResolvConf: string;
  hostHosts: string;
  /** Lists the tables of iptables-legacy in use. Default /proc/net/ip_tables_names. */
  legacyTables?: string;
  /** `/run/netns`. */
  netnsDirectory: string;
}

/** Persistence of the desired state. Implemented by `store`. All calls are synchronous and durable. */
export interface HostStore extends PeerStore {
  networks(): NetworkRecord[];
  putNetwork(record: NetworkRecord): void;
  deleteNetwork(id: string): void;

  endpoints(): EndpointRecord[];
  putEndpoint(record: EndpointRecord): void;
  deleteEndpoint(id: string): void;

  /** Leased addresses by network; `containerId` is the id of a container or of an attached endpoint. `lastUsed` orders reuse: the address that was free for longest is allocated first. */
  leases(networkId: string): { address: string; containerId: string }[];
  putLease(networkId: string, address: string, containerId: string): void;
  deleteLease(networkId: string, address: string): void;
  /** The last dynamically allocated address of a family, so that a just-released one is not allocated again at once. */
  cursor(networkId: string, family: Family): string | undefined;
  putCursor(networkId: string, family: Family, address: string): void;

  /** All puts and deletes inside are committed together or not at all. */
  transaction<T>(work: () => T): T;
}
