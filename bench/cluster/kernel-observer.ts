/**
 * What the kernel has of played hosts, from what it tells itself: a host has joined when its route is there and its
 * elements are, and has left when both are gone. Knows nothing of the daemon.
 */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { Kernel, KernelEvent } from '@netyard/kernel';
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';

/** rtm_protocol of routes that Netyard made. */
const ourRoutes = 78;
const table = 'netyard';
/** All elements of a peer come and go in one transaction; those of this set are single addresses. */
const set = 'tunnel_peers';
const patienceMs = 60_000;

/** What of the kernel is needed. */
export type ObservedKernel = Pick<Kernel, 'watch' | 'listRoutes' | 'listNftElements'>;

export class KernelObserver {
  readonly #kernel: ObservedKernel;
  readonly #routes = new Set<string>();
  readonly #addresses = new Set<string>();
  #changed = Promise.withResolvers<void>();

  constructor(kernel: ObservedKernel) {
    this.#kernel = kernel;
  }

  /** Ends with the signal. */
  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#kernel.watch(signal);
    await this.look();
    for await (const event of events) {
      if (event.type === 'resync') await this.look();
      else this.#take(event);
    }
  }

  /** Lists afresh. */
  async look(): Promise<void> {
    const routes = await this.#kernel.listRoutes();
    const elements = await this.#kernel.listNftElements({ family: 'ip', table, set });
    this.#routes.clear();
    this.#addresses.clear();
    for (const { to, protocol } of routes) if (protocol === ourRoutes) this.#routes.add(to);
    for (const { key } of elements) this.#addresses.add(key);
    this.#wake();
  }

  /** Milliseconds that it took since `began`, until the kernel has (or has no more) all of these. */
  async until(state: 'there' | 'gone', hosts: readonly SimulatedHost[], began: number): Promise<number> {
    const left = [...hosts];
    const late = setTimeout(() => this.#changed.reject(new Error(`${left.length} hosts are not ${state}`)), patienceMs);
    try {
      for (;;) {
        for (let last = left.at(-1); last !== undefined && this.#is(state, last); last = left.at(-1)) left.pop();
        if (left.length === 0) return performance.now() - began;
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(late);
    }
  }

  get count(): number {
    return this.#routes.size;
  }

  #is(state: 'there' | 'gone', { subnet, address }: SimulatedHost): boolean {
    const [route, element] = [this.#routes.has(subnet), this.#addresses.has(address)];
    return state === 'there' ? route && element : !route && !element;
  }

  #take(event: KernelEvent): void {
    if (event.type === 'route' && event.protocol === ourRoutes) {
      if (event.action === 'new') this.#routes.add(event.to);
      else this.#routes.delete(event.to);
    } else if (event.type === 'nft' && event.set === set && event.table === table) {
      for (const address of (event.keys ?? []).map((key) => formatIp(ipFromBytes(key)))) {
        if (event.action === 'new') this.#addresses.add(address);
        else this.#addresses.delete(address);
      }
    } else return;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
