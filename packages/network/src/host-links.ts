/** The interfaces of endpoints on the host, by name and counted by network. */
import type { EndpointState } from './contract.ts';

type HostLink = Pick<EndpointState, 'hostLink' | 'networkId'>;

export class HostLinks {
  /** Ids of their containers or attached endpoints. */
  readonly #owners = new Map<string, string>();
  /** By network id. */
  readonly #counts = new Map<string, number>();

  /** Nothing to do for an endpoint without an interface on the host. */
  add({ hostLink, networkId }: HostLink, ownerId: string): void {
    if (hostLink === '') return;
    if (!this.#owners.has(hostLink)) this.#counts.set(networkId, this.count(networkId) + 1);
    this.#owners.set(hostLink, ownerId);
  }

  delete({ hostLink, networkId }: HostLink): void {
    if (!this.#owners.delete(hostLink)) return;
    const left = this.count(networkId) - 1;
    if (left > 0) this.#counts.set(networkId, left);
    else this.#counts.delete(networkId);
  }

  ownerOf(hostLink: string): string | undefined {
    return this.#owners.get(hostLink);
  }

  count(networkId: string): number {
    return this.#counts.get(networkId) ?? 0;
  }

  copy(): HostLinks {
    const copy = new HostLinks();
    for (const [link, owner] of this.#owners) copy.#owners.set(link, owner);
    for (const [network, count] of this.#counts) copy.#counts.set(network, count);
    return copy;
  }
}
