/** One daemon's API, by kind of object. */
import { type AddressRequest, type DaemonAddress, resolveAddress } from './address.ts';
import { Api } from './api.ts';
import { Captures } from './captures.ts';
import { ClusterCalls } from './cluster.ts';
import { Containers } from './containers.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { Peers } from './peers.ts';
import { System } from './system.ts';
import { Traces } from './traces.ts';
import { Transport } from './transport.ts';
import { Volumes } from './volumes.ts';

export interface NetyardClient {
  readonly address: DaemonAddress;
  readonly captures: Captures;
  readonly cluster: ClusterCalls;
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly peers: Peers;
  readonly volumes: Volumes;
  readonly system: System;
  readonly traces: Traces;
  /** The API version in use; negotiated with the daemon the first time. */
  apiVersion(): Promise<string>;
  close(): void;
}

/**
 * Opens no connection yet: the first request does. `maxAnswer`: of an answer of the Docker Engine API, in bytes; for daemons
 * that are not trusted. Throws `invalid` for an invalid address.
 */
export function openClient(request: AddressRequest & { maxAnswer?: number }): NetyardClient {
  const transport = new Transport(resolveAddress(request), request.maxAnswer);
  const api = new Api(transport, request.env['DOCKER_API_VERSION']);
  return {
    address: transport.address,
    captures: new Captures(api),
    cluster: new ClusterCalls(api),
    containers: new Containers(api),
    images: new Images(api),
    networks: new Networks(api),
    peers: new Peers(api),
    volumes: new Volumes(api),
    system: new System(api),
    traces: new Traces(api),
    apiVersion: () => api.version(),
    close: () => transport.close(),
  };
}
