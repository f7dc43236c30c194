/** Types of `observeNamespace` and `listListeningSockets`: what one network namespace has, as the kernel reports it. */
import type { ObservedLink, ObservedRoute } from './contract.ts';
import type { IpvlanObject, MacvlanObject } from './desired.ts';
import type { RouteType } from './packet-trace.ts';

/** A link with its addresses and the settings that decide what it accepts and forwards. */
export interface ObservedNamespaceLink extends ObservedLink {
  /** Prefixes with host bits, both families. */
  addresses: string[];
  /** net.ipv4.conf.LINK.rp_filter or that of `all`, whichever is larger (ip-sysctl): 0 off, 1 strict, 2 loose. */
  rpFilter: number;
  /** Of a bridge port (bridge(8)). */
  hairpin?: boolean;
  isolated?: boolean;
  /** Of a link of that kind. Its parent is `peerIndex`. */
  vlanId?: number;
  macvlanMode?: MacvlanObject['mode'];
  ipvlan?: Pick<IpvlanObject, 'mode' | 'flag'>;
  vxlan?: { id: number; port: number; local?: string; learning: boolean };
}

/** A next hop of a route; a route with several of them is several entries. */
export interface ObservedNamespaceRoute extends ObservedRoute {
  /** rtnetlink(7), RTN_. */
  type: RouteType;
}

/** A rule of the policy routing database (ip-rule(8)). */
export interface ObservedRule {
  family: 4 | 6;
  /** The kernel tries rules in ascending order. */
  priority: number;
  not: boolean;
  /** Prefixes; undefined selects all. */
  from?: string;
  to?: string;
  inputLink?: string;
  outputLink?: string;
  mark?: number;
  markMask?: number;
  /** The table to look up, for the action `lookup`. */
  table?: number;
  action: 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit' | 'other';
}

/** ip-neighbour(8), NUD_. */
export type NeighbourState =
  | 'incomplete'
  | 'reachable'
  | 'stale'
  | 'delay'
  | 'probe'
  | 'failed'
  | 'noarp'
  | 'permanent'
  | 'none';

/** An entry of the neighbour table, learned or configured. */
export interface ObservedNeighbourEntry {
  link: string;
  address: string;
  mac?: string;
  state: NeighbourState;
}

export interface ObservedNamespace {
  links: ObservedNamespaceLink[];
  /** Of all tables. */
  routes: ObservedNamespaceRoute[];
  rules: ObservedRule[];
  /** Without multicast and broadcast addresses, whose entries the kernel derives. */
  neighbours: ObservedNeighbourEntry[];
  /** net.ipv4.ip_forward, net.ipv6.conf.all.forwarding. */
  forwarding: { v4: boolean; v6: boolean };
  /** net.bridge.bridge-nf-call-iptables; undefined without the module br_netfilter. */
  bridgeNetfilter?: boolean;
  /** Tables of iptables-legacy, such as `filter`, and of ip6tables-legacy, such as `ip6 filter`. */
  legacyTables: string[];
}

/** The configuration of the process's own namespace: what `observeNetworkState` returns. */
export interface ObservedNetworkState extends Pick<ObservedNamespace, 'rules' | 'neighbours' | 'forwarding'> {
  links: (Omit<ObservedNamespaceLink, 'addresses' | 'rpFilter'> & {
    /** Without temporary and deprecated ones. */
    addresses: { prefix: string; broadcast?: string }[];
  })[];
  /** Without those of the table local. */
  routes: (ObservedNamespaceRoute & { onlink?: boolean })[];
  /** What `nft -a -s list ruleset` prints. */
  ruleset: string;
}

/** A socket that accepts connections (TCP) or datagrams of any sender (UDP). */
export interface ObservedListener {
  protocol: 'tcp' | 'udp';
  /** `0.0.0.0` and `::` are all addresses; an IPv4 address of an IPv6 socket is in IPv4 notation. */
  address: string;
  port: number;
  /** Of a socket of family IPv6: receives no IPv4. */
  v6only: boolean;
  /** Receives only by this link (SO_BINDTODEVICE). */
  link?: string;
  /** TCP: connections that wait for accept(2), and their limit; UDP: 0. */
  waiting: number;
  backlog: number;
  /** Number of the socket in `/proc/PID/fd`. */
  inode: number;
}
