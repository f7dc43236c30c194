/**
 * The latest rates, outside of React's state: each second only the elements that show a changed rate are drawn again.
 */
import { useSyncExternalStore } from 'react';
import type { LinkRate, RatesMessage } from './model.ts';

class RateStore {
  #rates: RatesMessage = { links: {}, peers: {} };
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(rates: RatesMessage): void {
    this.#rates = rates;
    for (const listener of this.#listeners) listener();
  }

  /** As text, so that an unchanged rate is the same value. */
  textOfLink(link: string | undefined): string {
    const rate = link === undefined ? undefined : this.#rates.links[link];
    return rate ? rate.join(' ') : '';
  }

  textOfPeer(id: string): string {
    return this.#rates.peers[id]?.join(' ') ?? '';
  }
}

export const rateStore = new RateStore();

/** Undefined without traffic. */
export function useLinkRate(link: string | undefined): LinkRate | undefined {
  const text = useSyncExternalStore(rateStore.subscribe, () => rateStore.textOfLink(link));
  const [inBytes, outBytes, drops] = text.split(' ').map(Number);
  return text === '' ? undefined : [inBytes ?? 0, outBytes ?? 0, drops ?? 0];
}

/** Packets per second from and to a peer's containers; undefined without traffic. */
export function usePeerRate(id: string): [number, number] | undefined {
  const text = useSyncExternalStore(rateStore.subscribe, () => rateStore.textOfPeer(id));
  const [inPackets, outPackets] = text.split(' ').map(Number);
  return text === '' ? undefined : [inPackets ?? 0, outPackets ?? 0];
}
