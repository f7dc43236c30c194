/**
 * Index of the containers' names on user-defined networks: by network and name, and by network and address. Names are
 * case-insensitive (RFC 4343). A change costs what the container's own endpoints cost, however many names exist. Pure.
 */

/** The names of one container on one network. */
export interface EndpointNames {
  containerId: string;
  /** Id of the network. */
  network: string;
  /** All names that resolve to it on this network; addresses resolve to the first one. */
  names: readonly string[];
  /** Of both families, without prefix length. */
  addresses: readonly string[];
}

interface NetworkIndex {
  byName: Map<string, EndpointNames[]>;
  byAddress: Map<string, EndpointNames>;
}

export class EndpointIndex {
  readonly #networks = new Map<string, NetworkIndex>();
  readonly #containers = new Map<string, readonly EndpointNames[]>();

  /** Replaces the names of a container; an empty list deletes them. */
  set(containerId: string, endpoints: readonly EndpointNames[]): void {
    for (const endpoint of this.#containers.get(containerId) ?? []) this.#delete(endpoint);
    if (endpoints.length === 0) {
      this.#containers.delete(containerId);
      return;
    }
    this.#containers.set(containerId, endpoints);
    for (const endpoint of endpoints) this.#add(endpoint);
  }

  clear(): void {
    this.#networks.clear();
    this.#containers.clear();
  }

  /** All endpoints of that name on a network. */
  named(network: string, name: string): readonly EndpointNames[] {
    return this.#networks.get(network)?.byName.get(name.toLowerCase()) ?? [];
  }

  at(network: string, address: string): EndpointNames | undefined {
    return this.#networks.get(network)?.byAddress.get(address);
  }

  /** Whether the container has an endpoint on the network. */
  isOn(containerId: string, network: string): boolean {
    return this.#containers.get(containerId)?.some((endpoint) => endpoint.network === network) ?? false;
  }

  #add(endpoint: EndpointNames): void {
    const index = this.#networks.get(endpoint.network) ?? { byName: new Map(), byAddress: new Map() };
    this.#networks.set(endpoint.network, index);
    for (const key of keysOf(endpoint)) index.byName.set(key, [...(index.byName.get(key) ?? []), endpoint]);
    for (const address of endpoint.addresses) index.byAddress.set(address, endpoint);
  }

  #delete(endpoint: EndpointNames): void {
    const index = this.#networks.get(endpoint.network);
    if (!index) return;
    for (const key of keysOf(endpoint)) {
      const others = (index.byName.get(key) ?? []).filter((other) => other !== endpoint);
      if (others.length > 0) index.byName.set(key, others);
      else index.byName.delete(key);
    }
    for (const address of endpoint.addresses)
      if (index.byAddress.get(address) === endpoint) index.byAddress.delete(address);
    if (index.byName.size === 0 && index.byAddress.size === 0) this.#networks.delete(endpoint.network);
  }
}

const keysOf = ({ names }: EndpointNames): ReadonlySet<string> => new Set(names.map((name) => name.toLowerCase()));
