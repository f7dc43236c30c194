/**
 * The objects of a plan as plain data, without behaviour.
 *
 * `network` (or any other user of this library) lists the desired objects in creation order; `apply` observes the
 * kernel, computes the difference and creates or changes what differs; `remove` walks the list in reverse; `printShell`
 * prints each object as its equivalent command.
 *
 * Conventions: addresses are canonical text, prefixes are `address/length`, MTU is in bytes, and `ns` is the path of a
 * namespace (`/run/netns/r1`, `/proc/123/ns/net`); when omitted, it is the process's own namespace.
 */

/** A network namespace pinned by a bind mount. `ip netns add` for a path below `/run/netns`. */
export interface NetnsObject {
  kind: 'netns';
  path: string;
}

/** `ip link add NAME type bridge` and its attributes. */
export interface BridgeObject {
  kind: 'bridge';
  ns?: string;
  name: string;
  mac?: string;
  mtu?: number;
  /** `ip link set NAME alias TEXT` (IFLA_IFALIAS): describes the owner. */
  owner?: string;
  up: boolean;
  /** A bridge without this owner text is only set up, and neither changed otherwise nor deleted. */
  keep?: boolean;
}

/** A veth pair; the peer is created in its own namespace, under its final name. */
export interface VethObject {
  kind: 'veth';
  ns?: string;
  name: string;
  mtu?: number;
  owner?: string;
  /** Bridge in the same namespace as `name`. */
  master?: string;
  /** `bridge link set dev NAME hairpin on`, `isolated on`. */
  hairpin?: boolean;
  isolated?: boolean;
  /**
   * Disables IPv6 of this end at its creation; later, the setting is neither observed nor changed. An error where the end
   * has no IPv6 settings: without IPv6 in the kernel, or below an MTU of 1280.
   */
  disableIpv6?: boolean;
  up: boolean;
  peer: {
    ns?: string;
    name: string;
    mac?: string;
    /** Bridge in the namespace of this end. */
    master?: string;
    up: boolean;
    /** The name, namespace, MAC, MTU and state of this end are set at creation only; other programs may change them. */
    keep?: boolean;
  };
}

/**
 * A VXLAN tunnel (RFC 7348): frames sent here are encapsulated in UDP and go to the host that an `fdb` entry names. `ip
 * link add NAME type vxlan id ID dstport PORT local LOCAL nolearning`.
 */
export interface VxlanObject {
  kind: 'vxlan';
  ns?: string;
  name: string;
  /** VXLAN network identifier, 24 bits. */
  id: number;
  /** UDP port; IANA assigned 4789. */
  port: number;
  /**
   * Source address of the tunnel's packets; the remote hosts of its `fdb` entries have the same family. Default: the
   * IPv4 address that the route selects.
   */
  local?: string;
  /** Learn forwarding entries from received packets. Default: false. */
  learning?: boolean;
  mac?: string;
  mtu?: number;
  owner?: string;
  up: boolean;
}

/**
 * An interface in a namespace, attached to an interface of the process's own namespace: `ip link add link PARENT name NAME
 * netns NS type macvlan mode MODE`.
 */
export interface MacvlanObject {
  kind: 'macvlan';
  ns?: string;
  name: string;
  parent: string;
  /** Who receives its frames: see ip-link(8). The only macvlan of its parent with `passthru`. */
  mode: 'bridge' | 'private' | 'vepa' | 'passthru';
  mac?: string;
  mtu?: number;
  owner?: string;
  up: boolean;
}

/**
 * An interface in a namespace, with the MAC of its parent, an interface of the process's own namespace: `ip link add link
 * PARENT name NAME netns NS type ipvlan mode MODE FLAG`. Mode and flag apply to all ipvlan links of the parent.
 */
export interface IpvlanObject {
  kind: 'ipvlan';
  ns?: string;
  name: string;
  parent: string;
  /** Whether packets are switched by MAC (l2) or routed (l3, and l3s through the host's netfilter): see ip-link(8). */
  mode: 'l2' | 'l3' | 'l3s';
  /** Who receives its packets. */
  flag: 'bridge' | 'private' | 'vepa';
  mtu?: number;
  up: boolean;
}

/**
 * A VLAN sub-interface: `ip link add link PARENT name NAME type vlan id ID`. An interface of this name without the owner was
 * created by another program: it serves as well, and is neither changed nor deleted.
 */
export interface VlanObject {
  kind: 'vlan';
  ns?: string;
  name: string;
  /** In the same namespace. */
  parent: string;
  /** IEEE 802.1Q, 1 to 4094. */
  id: number;
  owner: string;
  up: boolean;
}

/** An interface without a link: packets that leave by it are dropped. `ip link add NAME type dummy`. */
export interface DummyObject {
  kind: 'dummy';
  ns?: string;
  name: string;
  owner?: string;
  up: boolean;
}

/** `bridge fdb add MAC dev LINK dst REMOTE`: the remote host that has a MAC, for a VXLAN link. One host per MAC. */
export interface FdbObject {
  kind: 'fdb';
  ns?: string;
  link: string;
  mac: string;
  remote: string;
}

/** Settings of an existing link, such as `lo`: `ip link set NAME up mtu …`. `remove` never deletes it. */
export interface LinkStateObject {
  kind: 'link-state';
  ns?: string;
  name: string;
  up?: boolean;
  mtu?: number;
  mac?: string;
}

/** `ip address add PREFIX dev LINK`. */
export interface AddressObject {
  kind: 'address';
  ns?: string;
  link: string;
  /** `172.17.0.2/16`. */
  prefix: string;
  /** Dotted quad; Docker uses the last address of the subnet. */
  broadcast?: string;
}

/** `ip route add TO [via VIA] [dev LINK] …`. */
export interface RouteObject {
  kind: 'route';
  ns?: string;
  /** `default`, or a prefix without host bits. */
  to: string;
  family?: 4 | 6;
  via?: string;
  link?: string;
  source?: string;
  metric?: number;
  table?: number;
  onlink?: boolean;
  scope?: 'global' | 'link' | 'host';
  /**
   * Origin of the route, 5 to 255 (rtm_protocol, rtnetlink(7)); default 3, boot. Only a route of this origin is
   * removed.
   */
  protocol?: number;
}

/** `ip neighbour replace ADDRESS lladdr MAC dev LINK nud permanent`. */
export interface NeighbourObject {
  kind: 'neighbour';
  ns?: string;
  link: string;
  address: string;
  mac: string;
}

/**
 * `ip neighbour add proxy ADDRESS dev LINK protocol N`: the host answers neighbour solicitations for the address on the
 * link, while the link's `proxy_ndp` (IPv4: `proxy_arp`) and `forwarding` are set. The kernel deletes the entry when the link goes down.
 */
export interface NeighbourProxyObject {
  kind: 'neighbour-proxy';
  ns?: string;
  link: string;
  address: string;
  /** Who created the entry. An entry of another protocol does as well, and is not deleted. */
  protocol: number;
}

/**
 * `sysctl -w KEY=VALUE`; dots separate the key's parts, a dot inside an interface name is written as `/`, as in
 * sysctl(8).
 */
export interface SysctlObject {
  kind: 'sysctl';
  ns?: string;
  key: string;
  value: string;
  /**
   * For settings that other programs may come to rely on, such as net.ipv4.ip_forward. `remove` restores no sysctl,
   * because its former value is unknown; those of a link or a namespace disappear with it.
   */
  keep?: boolean;
}

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'bridge' | 'arp' | 'netdev';

/** What a notification of nftables names. */
export type NftObjectKind = 'table' | 'chain' | 'rule' | 'set' | 'element';

/** A whole table of our own: chains, rules, and empty maps and sets. Its elements are separate objects. */
export interface NftTableObject {
  kind: 'nft-table';
  ns?: string;
  family: NftFamily;
  name: string;
  /**
   * The text between the braces of `table FAMILY NAME { … }`, in nft(8) syntax. Compared by a digest that `apply`
   * stores in the table's comment, and by nft's listing of an unmodified copy. When it differs, the table is replaced
   * in one transaction that keeps the elements.
   */
  body: string;
  /**
   * Sets and maps of the body that a table created from an earlier body may have under a former name: current name to
   * former name. A replacement keeps their elements, too.
   */
  formerSets?: Readonly<Record<string, string>>;
}

/** One element of a set or map: `nft add element FAMILY TABLE SET { KEY [: VALUE] }`. */
export interface NftElementObject {
  kind: 'nft-element';
  ns?: string;
  family: NftFamily;
  table: string;
  set: string;
  /** nft(8) syntax, canonical as `nft list` prints it (protocols by name, ports as numbers), such as `192.168.1.1 . tcp . 8801`. */
  key: string;
  /** For maps, such as `172.17.0.2 . 80`. */
  value?: string;
  /** Describes the owner; at most 128 bytes, no quotes. */
  comment?: string;
}

/** A rule in a chain of another program, such as iptables' `ip filter FORWARD`; identified by its comment. */
export interface NftRuleObject {
  kind: 'nft-rule';
  ns?: string;
  family: NftFamily;
  table: string;
  chain: string;
  /** nft(8) syntax as `nft -s list` prints it, such as `iifname "docker0" accept`. */
  rule: string;
  /** At most 127 bytes, no quotes; unique among our rules of one chain. */
  comment: string;
  /** At the head of the chain (`first`, the default), at its end, or before the rule with this handle. */
  position?: 'first' | 'last' | { before: number };
}

/** A text file with exactly this content, rewritten in place (containers bind-mount it, so the inode must stay). */
export interface FileObject {
  kind: 'file';
  path: string;
  content: string;
  /** Octal permissions. Default: 0o644. */
  mode?: number;
}

export type KernelObject =
  | NetnsObject
  | BridgeObject
  | VethObject
  | VxlanObject
  | MacvlanObject
  | IpvlanObject
  | VlanObject
  | DummyObject
  | FdbObject
  | LinkStateObject
  | AddressObject
  | RouteObject
  | NeighbourObject
  | NeighbourProxyObject
  | SysctlObject
  | NftTableObject
  | NftElementObject
  | NftRuleObject
  | FileObject;

/** Desired objects in creation order. */
export interface KernelPlan {
  /** Who requested the plan, for messages: `container nginx-3`. */
  owner: string;
  objects: readonly KernelObject[];
}

/** The observed state of one desired object. */
export type Observation =
  | { state: 'present' } // as desired
  | { state: 'absent' }
  | { state: 'different'; found: string }; // exists, but differs; `found` describes how

/** One operation of the difference between desired and observed state. */
export interface KernelOperation {
  action: 'create' | 'change' | 'delete';
  object: KernelObject;
  /** For change: how the object differed, as its observation describes it. */
  found?: string;
}
