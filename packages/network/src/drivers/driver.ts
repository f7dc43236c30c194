/**
 * The interface between networks and their drivers. A driver validates options, plans a network and its endpoints, and
 * states what it cannot do, so that callers ask it instead of comparing its name. All of it is pure. Types only.
 */
import type { NetyardError } from '@netyard/core';
import type { DummyObject, KernelObject, NftElementObject, VlanObject } from '@netyard/kernel';
import type { EndpointState, Family, NetworkRecord, PublishedPort } from '../contract.ts';
import type { BridgeSettings, EndpointOwner, HostFacts } from '../model.ts';

export interface Capabilities {
  /** Its endpoints have an interface with addresses of the network's pools. */
  addresses: boolean;
  /** Its endpoints have a MAC of their own, which can be requested. */
  ownMac: boolean;
  /** Its endpoints have an interface on the host, too, named `hostLink`, such as one end of a veth pair. */
  hostInterface: boolean;
  /** How many endpoints an interface of the host can have; absent: as many as the network has addresses. */
  mostPorts?: number;
  /** Ports of its endpoints can be published on the host. */
  ports: boolean;
  /** A container on it can be connected to other networks, too. */
  otherNetworks: boolean;
  /** Its containers use the host's network namespace, not one of their own. */
  hostNamespace: boolean;
}

/** The interface of the host to which the interfaces of a network's endpoints are attached. */
export interface ParentInterface {
  link: string;
  /** Its plan, if Netyard creates it. */
  created?: VlanObject | DummyObject;
}

/** What names and owners of a network's objects depend on. */
export type NetworkIdentity = Pick<NetworkRecord, 'id' | 'name' | 'options' | 'createdParent'>;

/** What `validate` checks: a network as requested, or as recorded. */
export type NetworkSpec = Pick<NetworkRecord, 'ipam' | 'internal' | 'options'>;

export interface Driver {
  /** Docker's name, as `network inspect` shows it. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** One error per problem, with Docker's codes and messages; empty for a valid network. */
  validate(network: NetworkSpec): NetyardError[];
  /** Whether a gateway of this family is allocated for a network that requests none. */
  hasGateway(network: NetworkSpec, family: Family): boolean;
  /** The address to which endpoints send what leaves the network, if that is not the network's own gateway. */
  routerOf?(network: Pick<NetworkRecord, 'ipam'>, family: Family): string | undefined;
  /** Undefined for a driver whose networks have none. Also called for an invalid network. */
  parentOf(network: NetworkIdentity): ParentInterface | undefined;
  /** Why a network cannot have the same parent as these others of the driver; absent: it always can. */
  findParentConflict?(network: NetworkRecord, others: readonly NetworkRecord[]): NetyardError | undefined;
  /** Kinds of interfaces, such as `ipvlan`, that the network needs and the kernel may lack. */
  linkKinds?(network: NetworkSpec): readonly string[];
  /** Whether a network is internal without a request, since nothing leaves it. */
  isInternal?(network: NetworkSpec): boolean;
  /** Whether its endpoints may be on several bridges, joined to one network. */
  canHaveSegments?(network: Pick<NetworkRecord, 'options' | 'existingBridge'>): boolean;
  /** Auxiliary addresses, by name, that the options of a network reserve: no endpoint gets them. */
  reservedAddresses?(network: NetworkSpec): Readonly<Record<string, string>>;
  /** Whether endpoints have a default route to their interface itself, without a gateway. */
  routesOnLink?(network: Pick<NetworkRecord, 'options'>): boolean;
  /**
   * Parses the options of a valid network once, for any number of plans.
   * @param mtuLimit upper limit for the MTU of its interfaces, so that their packets fit into tunnels to peers
   */
  openPlanner(network: NetworkRecord, mtuLimit?: number): NetworkPlanner;
}

/** One endpoint of a network, and the namespace that it attaches. */
export interface EndpointPlanInput {
  owner: EndpointOwner;
  netnsPath: string;
  endpoint: EndpointState;
  /** Whether this endpoint's gateway of a family is the namespace's default route. */
  isGateway: Readonly<Record<Family, boolean>>;
  /** Ports on IPv6 addresses lead to this endpoint: the gateway of IPv6 or, without one, of IPv4. */
  hasIpv6Ports: boolean;
  facts: HostFacts;
}

export interface HostLink {
  link: string;
  /** With prefix length. With any, the host has a route to each endpoint on this interface. */
  addresses: readonly string[];
}

/** Plans the kernel objects of one network. Lists are in creation order. */
export interface NetworkPlanner {
  /** The bridge through which the host routes and filters the network's traffic; undefined without one. */
  readonly bridge: BridgeSettings | undefined;
  /** Interfaces of the host that the network creates, other than a bridge, with the host's addresses there. */
  readonly hostLinks?: readonly HostLink[];
  planNetwork(facts: HostFacts): KernelObject[];
  /** A further bridge for endpoints, joined to the network's own. Absent: the network cannot have any. */
  planSegment?(segment: number, facts: HostFacts): KernelObject[];
  planEndpoint(endpoint: EndpointPlanInput): KernelObject[];
  /** Objects on the host that do not vanish with the namespace or the interface, in creation order. */
  planHostElements(endpoint: EndpointPlanInput): KernelObject[];
  /** The endpoint's interface: the addresses and routes of the endpoint vanish with it. Empty without one. */
  planInterface(endpoint: EndpointPlanInput): KernelObject[];
  /** Of the families for which the endpoint is the gateway. */
  planDefaultRoutes(endpoint: EndpointPlanInput): KernelObject[];
  /** Accepts packets from addresses of the owner's other endpoints: replies may leave by this endpoint's default route. */
  planSources(endpoint: EndpointPlanInput, others: readonly EndpointState[]): NftElementObject[];
  /** What makes the published ports of the endpoint's owner reachable through this endpoint. */
  planPorts(endpoint: EndpointPlanInput, ports: readonly PublishedPort[]): NftElementObject[];
}
