/**
 * The addresses that this host uses outside of Netyard's networks. The dumps of routes and addresses are cached until the
 * kernel reports a change, since with a thousand networks they take longer than the creation of one.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { type Kernel, readIfExists } from '@netyard/kernel';
import type { NetworkSettings } from '../contract.ts';
import { findOccupied, type HostUse, type Occupied } from '../ipam/occupied.ts';

/** systemd-resolved's list of upstream servers: resolv.conf has only its stub on 127.0.0.53. */
const resolvedFile = '/run/systemd/resolve/resolv.conf';

export class HostUseCache {
  readonly #kernel: Kernel;
  readonly #settings: NetworkSettings;
  #dumps: Omit<HostUse, 'resolvConf'> | undefined;
  /** Counts changes: a dump that one of them overtakes is out of date. */
  #changes = 0;
  #occupied: { resolvConf: string; ranges: Occupied } | undefined;

  constructor(kernel: Kernel, settings: NetworkSettings) {
    this.#kernel = kernel;
    this.#settings = settings;
  }

  /** Called when routes or addresses of the host changed. */
  drop(): void {
    this.#changes += 1;
    this.#dumps = undefined;
    this.#occupied = undefined;
  }

  /** @param isOwn whether an interface is a bridge of Netyard */
  async read(isOwn: (link: string) => boolean): Promise<Occupied> {
    await yieldToEventLoop(); // events that the kernel has sent are handled first
    const changes = this.#changes;
    const dumps = this.#dumps ?? {
      routes: await this.#kernel.listRoutes(),
      addresses: await this.#kernel.listAddresses(),
    };
    const resolvConf = readHostResolvConf(this.#settings.hostResolvConf);
    if (this.#occupied?.resolvConf === resolvConf) return this.#occupied.ranges;
    const ranges = findOccupied({ ...dumps, resolvConf }, isOwn);
    if (changes === this.#changes) {
      this.#dumps = dumps;
      this.#occupied = { resolvConf, ranges };
    }
    return ranges;
  }
}

/** A file that cannot be read keeps no network from being created, as in Docker. */
function readHostResolvConf(path: string): string {
  try {
    const text = readIfExists(path) ?? '';
    return /^\s*nameserver\s+127\.0\.0\.53\b/m.test(text) ? text + (readIfExists(resolvedFile) ?? '') : text;
  } catch {
    return '';
  }
}
