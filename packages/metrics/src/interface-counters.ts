/** Counters of containers' interfaces: of all veth pairs by one dump of the host's links. */
import type { Kernel, LinkStatistics } from '@netyard/kernel';
import type { SandboxState } from '@netyard/sandbox';
import { mirrored } from './container-families.ts';

export type CountersKernel = Pick<Kernel, 'listLinks' | 'listLinkStatistics' | 'linkStatistics'>;

export class InterfaceCounters {
  readonly #kernel: CountersKernel;
  /** The counters have no names. A link that is created again has another index. */
  #indexes = new Map<string, number>();

  constructor(kernel: CountersKernel) {
    this.#kernel = kernel;
  }

  /** By id of the container, then by name of the interface inside. Containers without a namespace have none. */
  async read(sandboxes: ReadonlyMap<string, SandboxState>): Promise<Map<string, Map<string, LinkStatistics>>> {
    const counters = await this.#kernel.listLinkStatistics();
    const hostLinks = [...sandboxes.values()].flatMap(({ endpoints }) => endpoints.map(({ hostLink }) => hostLink));
    await this.#lookUp(hostLinks, counters);
    const found = new Map<string, Map<string, LinkStatistics>>();
    for (const [id, state] of sandboxes) {
      const own = new Map<string, LinkStatistics>();
      for (const { link, hostLink } of state.endpoints) {
        const host = counters.get(this.#indexes.get(hostLink) ?? -1);
        const inside = host ? mirrored(host) : hostLink === '' ? await this.#readInside(link, state) : undefined;
        if (inside) own.set(link, inside);
      }
      found.set(id, own);
    }
    return found;
  }

  /** Lists the links only if one is new. */
  async #lookUp(hostLinks: readonly string[], counters: ReadonlyMap<number, unknown>): Promise<void> {
    const isKnown = (name: string): boolean => name === '' || counters.has(this.#indexes.get(name) ?? -1);
    if (hostLinks.every(isKnown)) return;
    this.#indexes = new Map((await this.#kernel.listLinks()).map(({ name, index }) => [name, index]));
  }

  /** macvlan and ipvlan interfaces have no end on the host. Undefined if the container has just ended. */
  async #readInside(link: string, { netnsPath }: SandboxState): Promise<LinkStatistics | undefined> {
    if (link === '' || netnsPath === undefined) return undefined;
    return await this.#kernel.linkStatistics(link, netnsPath).catch(() => undefined);
  }
}
