/**
 * Endpoints without a container of the engine: a network namespace, given by its path, is attached to a network. For CNI
 * plugins, Docker network drivers and other programs that have namespaces of their own. Types only.
 */
import type { KernelObject } from '@netyard/kernel';
import type { PerFamily } from './family.ts';

export interface AttachRequest {
  /** Unique among attached endpoints, for later calls and for the owner text of the interface. */
  name: string;
  /** Name or id. */
  network: string;
  /** An existing namespace, such as `/run/netns/NAME`. */
  netnsPath: string;
  /** Name of the interface in the namespace. Default: eth0. */
  link?: string;
  /** Default: the next free address of each family of the network. */
  addresses?: PerFamily<string>;
  macAddress?: string;
  /** The network's gateway becomes the namespace's default route. Default: true. */
  defaultRoute?: boolean;
}

/** A persisted endpoint. Its addresses are released by `detach` only, even if its namespace is gone. */
export interface EndpointRecord {
  id: string;
  name: string;
  netnsPath: string;
  defaultRoute: boolean;
  endpoint: EndpointState;
  ports: PublishedPort[];
  /** Nanoseconds since 1970. */
  created: bigint;
}

/** An object that differs from the plan. */
export interface EndpointDrift {
  object: KernelObject;
  state: 'absent' | 'different';
  /** What was observed instead, if different. */
  found?: string;
  /** Such as `address 172.17.0.2/16 on eth0`. */
  description: string;
}

/** References (`ref`) are a name or an id. Unknown ones: `not-found`. Operations on one endpoint are serial. */
export interface Endpoints {
  list(): EndpointRecord[];
  get(ref: string): EndpointRecord;
  /**
   * Allocates addresses, creates the interface, stores the endpoint. On failure nothing has changed: `conflict` for a
   * name in use, `not-found` for an unknown network or namespace, `invalid` for bad settings, `forbidden` for an address
   * in use or a network that has no addresses.
   */
  attach(request: AttachRequest): Promise<EndpointRecord>;
  /** Deletes interface, ports and record. The namespace itself is left alone, and may be gone already. */
  detach(ref: string): Promise<void>;
  /** Publishes a port of the endpoint on the host: over IPv4 and IPv6, unless the request has an address. */
  publish(ref: string, request: PortRequest): Promise<PublishedPort[]>;
  /** `not-found` for a port that the endpoint has not published. */
  unpublish(ref: string, port: PublishedPort): Promise<void>;
  /** Compares the observed state with the desired one; empty without drift. Changes nothing. */
  check(ref: string): Promise<EndpointDrift[]>;
}

/** Options of a container's attachment to one network. */
export interface EndpointConfig {
  /** Name or id. */
  network: string;
  /** Requested addresses. */
  addresses?: PerFamily<string>;
  macAddress?: string;
  /** Additional IPv4 addresses of 169.254.0.0/16. */
  linkLocalAddresses?: string[];
  aliases?: string[];
  /** `target[:alias]`: DNS aliases on user-defined networks. */
  links?: string[];
  driverOptions?: Record<string, string>;
  gatewayPriority?: number;
}

/** One `-p`. hostPort 0 or absent: any free port of net.ipv4.ip_local_port_range, as in Docker. */
export interface PortRequest {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  /** Default: every address of the host. '0.0.0.0' and '::' are those of one family. */
  hostAddress?: string;
  hostPort?: number;
  /** Upper end of a range from which one port is chosen (`-p 8000-8010:80`). */
  hostPortEnd?: number;
}

export interface PublishedPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostAddress: string;
  /** 0 for a port of a routed network, which is reachable at the endpoint's address and uses no port of the host. */
  hostPort: number;
}

export interface ExposedPort {
  protocol: 'tcp' | 'udp' | 'sctp';
  port: number;
}

export interface EndpointAddress {
  /** Without prefix length. */
  address: string;
  prefixLength: number;
  /** Absent on a network without a gateway, and on an internal one: no packets leave through it. */
  gateway?: string;
  /** Instead of a gateway: the default route leads to the interface itself. */
  onLink?: true;
}

export interface EndpointState {
  id: string;
  networkId: string;
  networkName: string;
  /** Interface name inside the namespace: eth0. */
  link: string;
  /** Name of the veth peer on the host. */
  hostLink: string;
  /** The segment of the network's bridge whose port it is (see drivers/bridge/segment.ts). Absent: the bridge itself. */
  segment?: number;
  mac: string;
  /** Empty on a network without addresses. */
  addresses: PerFamily<EndpointAddress>;
  aliases: string[];
  dnsNames: string[];
  config: EndpointConfig;
}
