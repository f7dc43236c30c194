/** The interfaces of endpoints on the host, by name and counted by network and segment. */
import type { EndpointState } from './contract.ts';

type HostLink = Pick<EndpointState, 'hostLink' | 'networkId' | 'segment'>;

export class HostLinks {
  /** Ids of their containers or attached endpoints. */
  readonly #owners = new Map<string, string>();
  /** By network id, then by segment. */
  readonly #counts = new Map<string, Map<number, number>>();

  /** Nothing to do for an endpoint without an interface on the host. */
  add({ hostLink, networkId, segment = 0 }: HostLink, ownerId: string): void {
    if (hostLink === '') return;
    if (!this.#owners.has(hostLink)) this.#count(networkId, segment, 1);
    this.#owners.set(hostLink, ownerId);
  }

  delete({ hostLink, networkId, segment = 0 }: HostLink): void {
    if (this.#owners.delete(hostLink)) this.#count(networkId, segment, -1);
  }

  #count(networkId: string, segment: number, change: 1 | -1): void {
    const counts = this.#counts.get(networkId) ?? new Map<number, number>();
    const count = (counts.get(segment) ?? 0) + change;
    if (count > 0) counts.set(segment, count);
    else counts.delete(segment);
    if (counts.size > 0) this.#counts.set(networkId, counts);
    else this.#counts.delete(networkId);
  }

  ownerOf(hostLink: string): string | undefined {
    return this.#owners.get(hostLink);
  }

  count(networkId: string): number {
    let sum = 0;
    for (const count of this.#counts.get(networkId)?.values() ?? []) sum += count;
    return sum;
  }

  countOn(networkId: string, segment: number): number {
    return this.#counts.get(networkId)?.get(segment) ?? 0;
  }

  /** Numbers of the segments with at least one interface, ascending, without 0: the network's own bridge. */
  segmentsOf(networkId: string): number[] {
    return [...(this.#counts.get(networkId)?.keys() ?? [])].filter((segment) => segment > 0).toSorted((a, b) => a - b);
  }

  copy(): HostLinks {
    const copy = new HostLinks();
    for (const [link, owner] of this.#owners) copy.#owners.set(link, owner);
    for (const [network, counts] of this.#counts) copy.#counts.set(network, new Map(counts));
    return copy;
  }
}
