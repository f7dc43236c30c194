/** The parts of the desired state that may have drifted since the last comparison, collected until the next one. */
import { type ReconcileScope, uniteScopes } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { HostLinks } from '../host-links.ts';

/** Dependencies of the class in this file. */
export interface PendingDriftDependencies {
  readonly attachments: Pick<Attachments, 'running'>;
  readonly hostLinks: Pick<HostLinks, 'ownerOf'>;
}

/**
 * `links`: bridges with their addresses, of all networks or of those in a set of ids; `all`: Netyard's tables and their
 * elements as well.
 */
export type NetworkScope = 'links' | 'all' | ReadonlySet<string>;

/** Parts of the desired state to compare. */
export interface Drift {
  networks: NetworkScope | undefined;
  /** With a set of networks: their segments to compare as well, by network id. */
  segments: ReadonlyMap<string, ReadonlySet<number>>;
  containers: ReadonlySet<string>;
}

/** Methods `mark…` also schedule the next comparison, `add…` do not. */
export class PendingDrift {
  readonly #context: PendingDriftDependencies;
  readonly #schedule: () => void;
  readonly #containers = new Set<string>();
  /** Host-side interfaces of containers that differ from the plan, with the ids of their containers, unless removed since. */
  readonly #driftedLinks = new Map<string, string>();
  #allNetworks: 'links' | 'all' | undefined;
  readonly #networks = new Set<string>();
  #segments = new Map<string, Set<number>>();
  #peers: ReconcileScope | undefined;

  constructor(context: PendingDriftDependencies, schedule: () => void) {
    this.#context = context;
    this.#schedule = schedule;
  }

  /** What to compare now; forgets it. Peers are taken later, since networks may add to them. */
  take(): Drift {
    const drifted = [...this.#driftedLinks].filter(([link, id]) => this.#context.hostLinks.ownerOf(link) === id);
    const containers = new Set([...this.#containers, ...drifted.map(([, id]) => id)]);
    const networks = this.#allNetworks ?? (this.#networks.size > 0 ? new Set(this.#networks) : undefined);
    const segments = this.#segments;
    this.#containers.clear();
    this.#driftedLinks.clear();
    this.#allNetworks = undefined;
    this.#networks.clear();
    this.#segments = new Map();
    return { networks, segments, containers };
  }

  takePeers(): ReconcileScope | undefined {
    const peers = this.#peers;
    this.#peers = undefined;
    return peers;
  }

  addContainer(id: string): void {
    this.#containers.add(id);
  }

  addAllPeers(): void {
    this.#peers = 'all';
  }

  markContainer(id: string): void {
    this.#containers.add(id);
    this.#schedule();
  }

  /** Of one network, or all. */
  markContainers(networkId?: string): void {
    for (const { id, endpoints } of this.#context.attachments.running())
      if (networkId === undefined || endpoints.some((endpoint) => endpoint.networkId === networkId))
        this.#containers.add(id);
    this.#schedule();
  }

  /** The host-side interface of a container differs from the plan, until `clearHostLink` or the next comparison. */
  markHostLink(link: string, containerId: string): void {
    this.#driftedLinks.set(link, containerId);
    this.#schedule();
  }

  clearHostLink(link: string): void {
    this.#driftedLinks.delete(link);
  }

  markNetworks(scope: 'links' | 'all'): void {
    if (this.#allNetworks !== 'all') this.#allNetworks = scope;
    this.#schedule();
  }

  /** The bridge of one network, with its addresses and settings. */
  markNetwork(id: string): void {
    this.#networks.add(id);
    this.#schedule();
  }

  /** With the bridge of its network. */
  markSegment(networkId: string, segment: number): void {
    this.#segments.set(networkId, (this.#segments.get(networkId) ?? new Set()).add(segment));
    this.markNetwork(networkId);
  }

  markPeers(scope: ReconcileScope | undefined): void {
    if (scope === undefined) return;
    this.#peers = uniteScopes(this.#peers, scope);
    this.#schedule();
  }

  /** All networks, tables and containers. */
  markAll(): void {
    this.markNetworks('all');
    this.markContainers();
  }
}
