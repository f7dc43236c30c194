/**
 * Names on networks of the cluster: those of this host's containers, which other hosts get, and those of other hosts'
 * containers, which are added to the index of names on networks. No I/O.
 */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointIndex } from '@netyard/dns';
import type { KnownPeers } from '@netyard/peers';
import type { NetworkRecord, RemoteEndpoint } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { namedEndpoints } from './asker.ts';

export type OwnEndpoint = Omit<RemoteEndpoint, 'host'>;
type Networks = ReadonlyMap<string, Pick<NetworkRecord, 'name' | 'cluster'>>;

export function clusterEndpoints({ config, state }: Sandbox, networks: Networks, project?: string): OwnEndpoint[] {
  return namedEndpoints(state).flatMap(({ networkId, addresses, dnsNames }) => {
    const address = addresses.v4?.address;
    if (networks.get(networkId)?.cluster === undefined || address === undefined) return [];
    const { containerId, name } = config;
    const endpoint = { networkId, containerId, name, address, names: dnsNames };
    return [project === undefined ? endpoint : { ...endpoint, project }];
  });
}

/** What decides whether a host may publish an endpoint. */
export interface EndpointChecks {
  networks: Networks;
  peers: Pick<KnownPeers, 'findBySubnet'>;
}

export class RemoteEndpoints {
  readonly #index: EndpointIndex;
  /** As added to the index, by `HOST/CONTAINER-ID`: another host may publish the id of a container of this one. */
  readonly #known = new Map<string, RemoteEndpoint[]>();
  #isCurrent = false;

  constructor(index: EndpointIndex) {
    this.#index = index;
  }

  /** Called when the endpoints, the peers or the networks have changed. */
  invalidate(): void {
    this.#isCurrent = false;
  }

  /** @param key id of the container in the index */
  projectOf(key: string): string | undefined {
    return this.#known.get(key)?.[0]?.project;
  }

  /** Applies the differences to the index, unless nothing has changed since the last call. */
  refresh(endpoints: readonly RemoteEndpoint[], checks: EndpointChecks): void {
    if (this.#isCurrent) return;
    this.#isCurrent = true;
    const valid = Map.groupBy(
      endpoints.filter((endpoint) => isOwnPart(endpoint, checks)),
      ({ host, containerId }) => `${host}/${containerId}`,
    );
    for (const key of this.#known.keys()) if (!valid.has(key)) this.#set(key, []);
    for (const [key, list] of valid) if (!isSame(this.#known.get(key), list)) this.#set(key, list);
  }

  clear(): void {
    this.#known.clear();
    this.#isCurrent = false;
  }

  #set(key: string, endpoints: RemoteEndpoint[]): void {
    if (endpoints.length > 0) this.#known.set(key, endpoints);
    else this.#known.delete(key);
    this.#index.set(
      key,
      endpoints.map(({ networkId, names, address }) => ({
        containerId: key,
        network: networkId,
        names,
        addresses: [address],
      })),
    );
  }
}

/** A host may publish only addresses in its own part of the network. */
function isOwnPart({ networkId, host, address }: RemoteEndpoint, { networks, peers }: EndpointChecks): boolean {
  const network = networks.get(networkId);
  const peer = peers.findBySubnet(address)?.record;
  return network?.cluster !== undefined && peer?.network === network.name && peer.name === `${host}/${network.name}`;
}

/** The directory returns the same object while an endpoint has not changed. */
const isSame = (before: readonly RemoteEndpoint[] | undefined, after: readonly RemoteEndpoint[]): boolean =>
  before?.length === after.length && before.every((one, at) => one === after[at] || isDeepStrictEqual(one, after[at]));
