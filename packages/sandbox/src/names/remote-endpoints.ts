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
    const [address, ipv6Address] = [addresses.v4?.address, addresses.v6?.address];
    if (networks.get(networkId)?.cluster === undefined || address === undefined) return [];
    const { containerId, name } = config;
    return [
      {
        ...{ networkId, containerId, name, address, names: dnsNames },
        ...(ipv6Address === undefined ? {} : { ipv6Address }),
        ...(project === undefined ? {} : { project }),
      },
    ];
  });
}

/** What decides whether a host may publish an endpoint. */
export interface EndpointChecks {
  networks: Networks;
  peers: Pick<KnownPeers, 'findBySubnet'>;
}

/** An endpoint, and those of its addresses that its host may publish. */
interface ValidEndpoint {
  endpoint: RemoteEndpoint;
  addresses: string[];
}

export class RemoteEndpoints {
  readonly #index: EndpointIndex;
  /** As added to the index, by `HOST/CONTAINER-ID`: another host may publish the id of a container of this one. */
  readonly #known = new Map<string, ValidEndpoint[]>();
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
    return this.#known.get(key)?.[0]?.endpoint.project;
  }

  /** Applies the differences to the index, unless nothing has changed since the last call. */
  refresh(endpoints: readonly RemoteEndpoint[], checks: EndpointChecks): void {
    if (this.#isCurrent) return;
    this.#isCurrent = true;
    const valid = Map.groupBy(
      endpoints.flatMap((endpoint) => validate(endpoint, checks)),
      ({ endpoint: { host, containerId } }) => `${host}/${containerId}`,
    );
    for (const key of this.#known.keys()) if (!valid.has(key)) this.#set(key, []);
    for (const [key, list] of valid) if (!isSame(this.#known.get(key), list)) this.#set(key, list);
  }

  clear(): void {
    this.#known.clear();
    this.#isCurrent = false;
  }

  #set(key: string, endpoints: ValidEndpoint[]): void {
    if (endpoints.length > 0) this.#known.set(key, endpoints);
    else this.#known.delete(key);
    this.#index.set(
      key,
      endpoints.map(({ endpoint: { networkId: network, names }, addresses }) => ({
        ...{ containerId: key, network, names, addresses },
      })),
    );
  }
}

/** A host may publish only addresses in its own parts of the network. Empty if it has none of them. */
function validate(endpoint: RemoteEndpoint, { networks, peers }: EndpointChecks): ValidEndpoint[] {
  const { networkId, host, address, ipv6Address } = endpoint;
  const network = networks.get(networkId);
  if (network?.cluster === undefined) return [];
  const addresses = [address, ...(ipv6Address === undefined ? [] : [ipv6Address])].filter((one) => {
    const peer = peers.findBySubnet(one)?.record;
    return peer?.network === network.name && peer.name === `${host}/${network.name}`;
  });
  return addresses.length === 0 ? [] : [{ endpoint, addresses }];
}

/** The directory returns the same object while an endpoint has not changed. */
function isSame(before: readonly ValidEndpoint[] | undefined, after: readonly ValidEndpoint[]): boolean {
  if (before?.length !== after.length) return false;
  return before.every(({ endpoint, addresses }, at) => {
    const other = after[at];
    if (addresses.join() !== other?.addresses.join()) return false;
    return endpoint === other.endpoint || isDeepStrictEqual(endpoint, other.endpoint);
  });
}
