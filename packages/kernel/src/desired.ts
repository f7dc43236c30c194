/**
 * The vocabulary of a plan: kernel objects as plain data.
 *
 * `network` (or any other user of this library) writes down which objects it wants, in the order in which they
 * can be made; `apply` observes, takes the difference and makes what is missing; `remove` walks the same list
 * backwards; `printShell` prints each object as the command that makes it. Nothing here does anything.
 *
 * Conventions: addresses are canonical text, prefixes are `address/length`, MTU is in bytes, and `ns` is the path of
 * a namespace (`/run/netns/r1`, `/proc/123/ns/net`); left out, it is the namespace this process lives in.
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
  /** `ip link set NAME alias TEXT` (IFLA_IFALIAS): who owns it, in words. */
  owner?: string;
  up: boolean;
}

/** A pair of virtual Ethernet devices; the peer is born in its namespace, under its final name. */
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
  up: boolean;
  peer: {
    ns?: string;
    name: string;
    mac?: string;
    up: boolean;
    /** Name, namespace, MAC, MTU and state of this end are given when the pair is made, and others may change them. */
    keep?: boolean;
  };
}

/**
 * A tunnel to other hosts (RFC 7348): what is sent here is packed into UDP and goes to the host that an `fdb` entry
 * names. `ip link add NAME type vxlan id ID dstport PORT local LOCAL nolearning`.
 */
export interface VxlanObject {
  kind: 'vxlan';
  ns?: string;
  name: string;
  /** VXLAN network identifier, 24 bits. */
  id: number;
  /** UDP port; 4789 is IANA's. */
  port: number;
  /** Address that the packets are sent from: IPv4. The route's unless told. */
  local?: string;
  /** Learn from what comes in who is where; false unless told. */
  learning?: boolean;
  mac?: string;
  mtu?: number;
  owner?: string;
  up: boolean;
}

/** `bridge fdb add MAC dev LINK dst REMOTE`: behind which host a MAC is, for a VXLAN link. One host for each MAC. */
export interface FdbObject {
  kind: 'fdb';
  ns?: string;
  link: string;
  mac: string;
  remote: string;
}

/** State of a link that is already there, such as `lo`: `ip link set NAME up mtu …`. Never deleted by `remove`. */
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
  /** Dotted quad; Docker sets the last address of the subnet. */
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
  /** Who made it, from 5 to 255 (rtm_protocol, rtnetlink(7)); 3, boot, unless told. Only that maker's is removed. */
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

/** `sysctl -w KEY=VALUE`; the key with dots, a dot inside an interface name written as `/`, as sysctl(8) does. */
export interface SysctlObject {
  kind: 'sysctl';
  ns?: string;
  key: string;
  value: string;
  /**
   * Said of settings that others may rely on by then, such as net.ipv4.ip_forward. `remove` leaves every sysctl as it
   * is, for its former value is not known; those of a link or a namespace end with it.
   */
  keep?: boolean;
}

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'bridge' | 'arp' | 'netdev';

/** A whole table of our own: chains, rules, and empty maps and sets. Its elements are objects of their own. */
export interface NftTableObject {
  kind: 'nft-table';
  ns?: string;
  family: NftFamily;
  name: string;
  /**
   * What stands between the braces of `table FAMILY NAME { … }`, in nft(8) syntax. Compared by a digest that `apply`
   * writes into the table's comment, and by nft's listing of an untouched one; on a difference the table is replaced in
   * one transaction, elements kept.
   */
  body: string;
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
  /** Owner in words; at most 128 bytes, no quotes. */
  comment?: string;
}

/** A rule in a chain that belongs to another program, such as iptables' `ip filter FORWARD`; found by its comment. */
export interface NftRuleObject {
  kind: 'nft-rule';
  ns?: string;
  family: NftFamily;
  table: string;
  chain: string;
  /** nft(8) syntax as `nft -s list` prints it, such as `iifname "docker0" accept`. */
  rule: string;
  /** At most 127 bytes, no quotes; no two rules of ours in one chain have the same. */
  comment: string;
  /** At the head of the chain (`first`, the default), at its end, or before the rule with this handle. */
  place?: 'first' | 'last' | { before: number };
}

/** A text file wanted with exactly this content, rewritten in place (same inode: containers bind-mount it). */
export interface FileObject {
  kind: 'file';
  path: string;
  content: string;
  /** Octal permissions, 0o644 unless told. */
  mode?: number;
}

export type KernelObject =
  | NetnsObject
  | BridgeObject
  | VethObject
  | VxlanObject
  | FdbObject
  | LinkStateObject
  | AddressObject
  | RouteObject
  | NeighbourObject
  | SysctlObject
  | NftTableObject
  | NftElementObject
  | NftRuleObject
  | FileObject;

/** Wanted objects in the order in which they can be made. */
export interface KernelPlan {
  /** Who asked, for messages: `container nginx-3`. */
  owner: string;
  objects: readonly KernelObject[];
}

/** What `observe` found for one wanted object. */
export type Observation =
  | { state: 'present' } // just as wanted
  | { state: 'absent' }
  | { state: 'different'; found: string }; // there, but not as wanted; `found` in words

/** One step of the difference. */
export interface KernelOperation {
  action: 'create' | 'change' | 'delete';
  object: KernelObject;
}
