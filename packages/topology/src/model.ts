/**
 * What is on one host, as observed: container engines and their containers, network namespaces, and what each namespace
 * has of links, addresses, routes, neighbours and listening sockets. Plain data, that `trace`, `diagnose` and the topology
 * page read. Nothing here is desired state, and nothing says who created an object beyond what the object itself shows.
 *
 * Addresses and prefixes are canonical text (`10.1.0.2`, `10.1.0.0/24`), MTU is in bytes, ids of namespaces are inode
 * numbers (`4026531840`, namespaces(7)).
 */
import type {
  NeighbourState,
  ObservedListener,
  ObservedNamespaceLink,
  ObservedNamespaceRoute,
  ObservedRule,
} from '@netyard/kernel';

export type EngineKind = 'netyard' | 'docker' | 'podman' | 'containerd';

/** An engine on this host, reached or not. */
export interface HostEngine {
  kind: EngineKind;
  /** Path of the socket, or of the state folder that was read. */
  source: string;
  version?: string;
  /**
   * Id of the user whose socket it is, if neither root nor this process owns it. What it says may be made up: paths that it
   * names are not followed, and of the processes that it names only this user's count.
   */
  owner?: number | 'several users';
  /** Why its containers are missing or incomplete, such as `permission denied`. */
  problem?: string;
}

export type ContainerState =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'exited'
  | 'dead'
  | 'removing'
  | 'unknown';

/** A port published by an engine for a container. */
export interface PublishedPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0` and `::` are all addresses of a family. */
  hostAddress: string;
  hostPort: number;
  containerPort: number;
}

/** An attachment of a container to an engine's network, as the engine reports it. */
export interface ContainerAttachment {
  /** Name of the network in its engine. */
  network: string;
  /** Prefixes; stopped containers may have none. */
  addresses: string[];
  gateway?: string;
  gateway6?: string;
  mac?: string;
  /** Further names under which other members of the network find the container. */
  aliases: string[];
}

/** A container of an engine, or a namespace that no engine claims (kind `namespace`, such as `ip netns add` makes). */
export interface HostContainer {
  engine: EngineKind | 'namespace';
  /** As `HostEngine.owner`. */
  owner?: number | 'several users';
  /** Full id of the engine; for a bare namespace its id. */
  id: string;
  name: string;
  image?: string;
  state: ContainerState;
  /** Of an exited container. */
  exitCode?: number;
  /** RFC 3339: when an exited container ended. */
  finishedAt?: string;
  /** Its first process, while it runs. */
  pid?: number;
  /** Key of `HostTopology.namespaces`; undefined when it does not run or cannot be seen (rootless, other mount namespace). */
  namespaceId?: string;
  /** `host`, `none`, `container:NAME`, or the name of a network. */
  networkMode?: string;
  attachments: ContainerAttachment[];
  ports: PublishedPort[];
  /** Ports that the image or the user declares, such as `80/tcp`. */
  exposed: string[];
  /** Containers that it is linked to, by alias (`--link`). */
  links: { target: string; alias: string }[];
  /** Process ids in its cgroup or namespace are frozen: it answers nothing, although the kernel accepts connections. */
  paused: boolean;
  /** Path, on the host, of its `/etc/hosts` and `/etc/resolv.conf`, if the engine names them. */
  hostsPath?: string;
  resolvConfPath?: string;
}

/** A network of an engine. */
export interface HostNetwork {
  engine: EngineKind;
  id: string;
  name: string;
  driver: string;
  /** Its bridge or parent on the host, if there is one. */
  link?: string;
  subnets: { subnet: string; gateway?: string }[];
  internal: boolean;
  /** False: members do not reach each other except by links and published ports. */
  icc: boolean;
  mtu?: number;
  options: Record<string, string>;
}

/** A link of any namespace. */
export interface LinkReference {
  /** Undefined when the namespace cannot be seen. */
  namespaceId?: string;
  index: number;
}

/** A link as rtnetlink(7) reports it, with its place in the topology. */
export interface NamespaceLink extends Omit<ObservedNamespaceLink, 'peerIndex' | 'peerNsId'> {
  /** The other end of a veth pair: namespace (undefined when it cannot be seen) and index there. */
  peer?: LinkReference;
  /** What a macvlan, ipvlan or VLAN link is attached to. */
  parent?: LinkReference;
}

/** A next hop of a route; a route with several of them is several entries. */
export type NamespaceRoute = ObservedNamespaceRoute;

/** An entry of the neighbour table. */
export interface NamespaceNeighbour {
  link: string;
  address: string;
  mac?: string;
  state: NeighbourState;
}

/** A socket that accepts connections or datagrams (sock_diag(7)). */
export interface ListeningSocket extends Omit<ObservedListener, 'inode'> {
  /** Name and id of a process that has it open, if it can be seen. */
  process?: { pid: number; name: string };
}

export interface HostNamespace {
  /** Inode number. */
  id: string;
  /** A path that opens it from this process: `/proc/PID/ns/net`, `/run/netns/NAME`, or the mount of an engine. */
  path: string;
  /** `host`, the names of its containers, the name of `ip netns`, or `net:[ID]`. */
  name: string;
  isHost: boolean;
  processes: { pid: number; name: string }[];
  links: NamespaceLink[];
  routes: NamespaceRoute[];
  /** Policy routing (ip-rule(8)), with the kernel's own rules. */
  rules: ObservedRule[];
  neighbours: NamespaceNeighbour[];
  sockets: ListeningSocket[];
  /** net.ipv4.ip_forward, net.ipv6.conf.all.forwarding. */
  forwarding: { v4: boolean; v6: boolean };
  /** net.bridge.bridge-nf-call-iptables; undefined without br_netfilter. */
  bridgeNetfilter?: boolean;
  /**
   * Tables of iptables-legacy, whose rules nft does not show (/proc/net/ip_tables_names): `filter`; of ip6tables-legacy:
   * `ip6 filter`.
   */
  legacyTables: string[];
}

export interface HostTopology {
  hostName: string;
  /** RFC 3339. */
  observedAt: string;
  engines: HostEngine[];
  networks: HostNetwork[];
  containers: HostContainer[];
  namespaces: HostNamespace[];
  /** What could not be observed, a sentence each. */
  problems: string[];
}
