/** Notices that this host's addresses have changed, after its caller has noticed a change of some interface. */
import { formatIp } from '@netyard/core';
import type { HostAddresses } from './address.ts';

const CHECK_DELAY_MS = 100;

export class AddressWatch {
  readonly #addresses: HostAddresses;
  readonly #changed: (own: readonly string[]) => void;
  /** This host's addresses at the last check. */
  #last: string;
  #check: NodeJS.Timeout | undefined;

  /** @param changed called with this host's addresses, without prefix length */
  constructor(addresses: HostAddresses, changed: (own: readonly string[]) => void) {
    this.#addresses = addresses;
    this.#changed = changed;
    this.#last = this.#read().join();
  }

  #read = (): string[] => this.#addresses.prefixes().map(formatIp);

  /** Checks the addresses soon: once for several calls, as one change of a host often makes several. */
  checkSoon(): void {
    this.#check ??= setTimeout(() => this.#compare(), CHECK_DELAY_MS).unref();
  }

  #compare(): void {
    this.#check = undefined;
    const own = this.#read();
    if (own.join() === this.#last) return;
    this.#last = own.join();
    this.#changed(own);
  }

  close(): void {
    clearTimeout(this.#check);
  }
}
