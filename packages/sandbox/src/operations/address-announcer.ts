/**
 * Announces the addresses of new endpoints to their neighbours, on networks with Docker's options for it: see
 * drivers/advertisement.ts of network. Each message is sent on its own, from a socket that is closed at once, so that no
 * start waits and no namespace is held.
 */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import { advertisementOf, valuesOf } from '@netyard/network';
import type { EndpointState, NetworkEvent, NetworkRecord } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';

/** Dependencies of the functions in this file. */
export interface AddressAnnouncerDependencies {
  readonly kernel: Pick<Kernel, 'announceAddresses'>;
  readonly logger: Logger;
  readonly networks: ReadonlyMap<string, NetworkRecord>;
  readonly sandboxes: ReadonlyMap<string, Sandbox>;
}

/** A new port of a bridge forwards when the kernel has seen its carrier, some milliseconds after the interface is up. */
const firstDelayMs = 50;

interface Announced {
  containerId: string;
  endpoint: EndpointState;
  /** Messages to send. */
  count: number;
  intervalMs: number;
}

export class AddressAnnouncer {
  readonly #context: () => AddressAnnouncerDependencies;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(context: () => AddressAnnouncerDependencies) {
    this.#context = context;
  }

  /** Called for each event of networks. */
  networkEvent({ action, networkId, containerId }: Omit<NetworkEvent, 'type'>): void {
    if (action !== 'connect' || containerId === undefined) return;
    const { networks, sandboxes } = this.#context();
    const record = networks.get(networkId);
    const advertisement = record && advertisementOf(record);
    const endpoint = sandboxes.get(containerId)?.state?.endpoints.find((one) => one.networkId === networkId);
    if (advertisement === undefined || endpoint === undefined || endpoint.link === '') return;
    this.#schedule({ containerId, endpoint, ...advertisement }, firstDelayMs);
  }

  #schedule(announced: Announced, delayMs: number): void {
    if (announced.count === 0) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#announce(announced)) this.#schedule({ ...announced, count: announced.count - 1 }, announced.intervalMs);
    }, delayMs).unref();
    this.#timers.add(timer);
  }

  /** False when the endpoint is gone. */
  #announce({ containerId, endpoint }: Announced): boolean {
    const { kernel, logger, sandboxes } = this.#context();
    const { state } = sandboxes.get(containerId) ?? {};
    if (state?.netnsPath === undefined || !state.endpoints.some(({ id }) => id === endpoint.id)) return false;
    const addresses = valuesOf(endpoint.addresses).map(({ address }) => address);
    try {
      kernel.announceAddresses({ ns: state.netnsPath, link: endpoint.link, addresses });
      return true;
    } catch (error) {
      logger.warn('addresses could not be announced', { containerId, addresses, error: messageOf(error) });
      return false;
    }
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
