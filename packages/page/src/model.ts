/**
 * What the topology page shows: items, and the messages of its event stream. Plain data that the server sends as JSON and
 * the page draws; the page imports these types and nothing else of this project.
 *
 * Addresses are text without prefix length, MTUs are in bytes, rates per second.
 */

/**
 * Whose an item is, if it is not this daemon's: `cluster`, published by another host; the name of another engine of this
 * host; or `namespace`, of no engine. The page shows these and asks nothing about them.
 */
export type Foreign = 'cluster' | 'docker' | 'podman' | 'containerd' | 'namespace';

export interface HostItem {
  kind: 'host';
  /** `host:NAME` */
  id: string;
  name: string;
  version: string;
  /** Interfaces through which packets leave the host. */
  uplinks: string[];
  /** Why container traffic is blocked on the host. */
  problems: string[];
  foreign?: Foreign;
  /** Of another host: its daemon's API answers this one, so that it can be asked to observe a trace. */
  canTrace?: boolean;
}

export interface NetworkItem {
  kind: 'network';
  id: string;
  /** Id of the host's item, as in all other items. */
  host: string;
  name: string;
  driver: string;
  /** The bridge, or the parent of a network without one; undefined if there is neither. */
  link?: string;
  /** Further bridges of a large network, and the ends of the veth pairs that join them to it. */
  segmentLinks?: string[];
  subnets: { subnet: string; gateway?: string }[];
  internal: boolean;
  /** Whether its containers reach each other without a link or a published port. */
  icc: boolean;
  mtu?: number;
  problems: string[];
  foreign?: Foreign;
}

export interface ContainerEndpoint {
  /** '' for a network that does not exist. */
  networkId: string;
  network: string;
  /** Absent in a container that does not run, as are addresses and MAC. */
  link?: string;
  /** The interface's end on the host, by which rates are reported. */
  hostLink?: string;
  mac?: string;
  addresses: string[];
  /** Names by which containers of the network find it. */
  names: string[];
}

export interface ContainerPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  hostAddress: string;
  /** 0: reachable at the container's own address. */
  hostPort: number;
  containerPort: number;
}

export type ContainerItemState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerItem {
  kind: 'container';
  id: string;
  host: string;
  name: string;
  image: string;
  state: ContainerItemState;
  /** `bridge`, `host`, `none`, `container:NAME`, the name of a network, or `namespace` for one of no engine. */
  mode: string;
  endpoints: ContainerEndpoint[];
  ports: ContainerPort[];
  /** Containers that it is linked to; `id` is absent for one of another host. */
  links: { id?: string; name: string; alias: string }[];
  /** The container whose network namespace it uses. */
  sharedWith?: string;
  problems: string[];
  foreign?: Foreign;
  /** As that of its host. */
  canTrace?: boolean;
}

export interface PeerItem {
  kind: 'peer';
  /** `peer:NAME` */
  id: string;
  host: string;
  name: string;
  address: string;
  subnets: string[];
  origin: 'request' | 'config' | 'cluster';
  /** Absent while the peer is unreachable, as are link and MTU. */
  via?: 'route' | 'vxlan';
  link?: string;
  mtu?: number;
  problems: string[];
  /** As that of its host. */
  canTrace?: boolean;
}

export type PageItem = HostItem | NetworkItem | ContainerItem | PeerItem;

/** Event `snapshot`: everything. It comes first, and again after a reader was too slow for patches. */
export interface SnapshotMessage {
  items: PageItem[];
}

/** Event `patch`: new and changed items, and the ids of removed ones. */
export interface PatchMessage {
  set: PageItem[];
  removed: string[];
}

/** Bytes, and packets that were dropped or had errors, per second. In and out as the host's interface counts them. */
export type LinkRate = [inBytes: number, outBytes: number, drops: number];

/** Event `rates`: links and peers without traffic are omitted. A peer's are packets from and to its containers. */
export interface RatesMessage {
  links: Record<string, LinkRate>;
  peers: Record<string, [inPackets: number, outPackets: number]>;
}

/** A rule of the firewall that concerns two ends of an edge. */
export interface RuleItem {
  effect: 'permits' | 'forbids' | 'translates';
  text: string;
  /** Equivalent command, or the element alone where the command is one of many lines. */
  command: string;
}

export interface ExplainAnswer {
  script: string;
}

export interface RulesAnswer {
  rules: RuleItem[];
}

export interface ChecksAnswer {
  checks: { grade: 'ok' | 'info' | 'warning' | 'broken'; text: string; fix: string }[];
}

/** What a trace is asked: as the arguments of `netyard trace`. */
export interface TraceRequest {
  /** `ENGINE/NAME`, or `host`. */
  from: string;
  /** The same, `HOST/NAME` or `HOST/host` of a peer, an address, or a name that `from` resolves. */
  to: string;
  /** Not for icmp. */
  port?: number;
  protocol: 'tcp' | 'udp' | 'icmp';
}

export interface TraceStepItem {
  /** Host or container, by name; `HOST/NAME` for a container of another host. */
  place: string;
  /** Name of the other host on which it is. */
  host?: string;
  kind: 'socket' | 'link' | 'bridge' | 'route' | 'translation' | 'tunnel' | 'rule';
  /** Interface, route or rule. */
  name: string;
  direction?: 'in' | 'out';
  /** `missing`: the packet should have been seen here. */
  state: 'seen' | 'predicted' | 'missing' | 'dropped';
  /** Milliseconds since the probe was sent. */
  atMs?: number;
}

export interface TraceAnswer {
  hostName: string;
  outcome: 'reached' | 'not-reached' | 'unknown';
  /** A stable name, such as `no-listener`. */
  cause: string;
  /** Says where the packet stopped, and by which object. */
  sentence: string;
  /** A command or an instruction. */
  fix?: string;
  grade: 'observed' | 'inferred' | 'predicted';
  steps: TraceStepItem[];
  /** The way back. */
  answer: TraceStepItem[];
  /** What could not be observed, a sentence each. */
  incomplete: string[];
}

export interface SessionAnswer {
  /** Whether captures and traces are allowed (`--web-actions`). */
  actions: boolean;
}

/** Answer to the exchange of a token; the key goes into the header `X-Netyard-Key` of all further requests. */
export interface OpenedSessionAnswer extends SessionAnswer {
  key: string;
}
