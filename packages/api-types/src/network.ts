/** Networks of the Docker Engine API. Types only. */
import type { endpointRequest, endpointState, networkConnect, networkDisconnect } from './fields/endpoint.ts';
import type { ipamPool, networkCreate } from './fields/network.ts';
import type { Answer, AnswerOf, InOf, Input } from './fields/shape.ts';

/** An endpoint in inspect. */
export type EndpointSettings = Answer<typeof endpointRequest & typeof endpointState>;
export type EndpointRequest = Input<typeof endpointRequest>;
export type IPAMPoolConfig = InOf<typeof ipamPool>;

export interface IPAM {
  Driver: string;
  Options: Record<string, string> | null;
  Config: AnswerOf<typeof ipamPool>[] | null;
}

export interface EndpointResource {
  Name: string;
  EndpointID: string;
  MacAddress: string;
  IPv4Address: string;
  IPv6Address: string;
}

/** A container that will be connected when it starts. Netyard's own. */
export interface StoppedContainer {
  Name: string;
  Aliases: string[];
  /** Requested by the container; '' if it gets any. */
  MacAddress: string;
  IPv4Address: string;
  IPv6Address: string;
}

/** GET /networks/{id}; a row of GET /networks has no Containers. */
export interface Network {
  Name: string;
  Id: string;
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: IPAM;
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<string, EndpointResource>;
  /** Only with `?stopped=1`. */
  StoppedContainers?: Record<string, StoppedContainer>;
  /** Since API 1.52, by inspect only. */
  Status?: { IPAM: { Subnets?: Record<string, SubnetStatus> } };
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

/** A number of up to 64 bits, written with all its digits. */
export type JsonNumber = number & { readonly exact?: never };

export interface SubnetStatus {
  IPsInUse: JsonNumber;
  DynamicIPsAvailable: JsonNumber;
}

/** POST /networks/create */
export type NetworkCreateRequest = Input<typeof networkCreate>;

export interface NetworkCreateResponse {
  Id: string;
  Warning: string;
}

/** POST /networks/{id}/connect */
export type NetworkConnectRequest = Input<typeof networkConnect>;

/** POST /networks/{id}/disconnect */
export type NetworkDisconnectRequest = Input<typeof networkDisconnect>;

export interface NetworkPruneResponse {
  NetworksDeleted: string[] | null;
}
