/**
 * Observes simulated hosts in the kernel by its notifications, without the daemon: a host has joined when its route and
 * its set element exist, and has left when both are deleted.
 */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { Kernel, KernelEvent } from '@netyard/kernel';
import type { SimulatedHost } from '../../packages/cluster/bench/simulated-members.ts';

/** rtm_protocol of Netyard's routes. */
const netyardProtocol = 78;
const table = 'netyard';
/** All elements of a peer are created and deleted in one transaction; those of this set are single addresses. */
const set = 'tunnel_peers';
const timeoutMs = 60_000;

/** The part of the kernel interface that is used. */
export type ObservedKernel = Pick<Kernel, 'watch' | 'listRoutes' | 'listNftElements'>;

export class KernelObserver {
  readonly #kernel: ObservedKernel;
  readonly #routes = new Set<string>();
  readonly #addresses = new Set<string>();
  #changed = Promise.withResolvers<void>();

  constructor(kernel: ObservedKernel) {
    this.#kernel = kernel;
  }

  /** Ends when the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#kernel.watch(signal);
    await this.list();
    for await (const event of events) {
      if (event.type === 'resync') await this.list();
      else this.#record(event);
    }
  }

  /** Replaces what is known by a listing. */
  async list(): Promise<void> {
    const routes = await this.#kernel.listRoutes();
    const elements = await this.#kernel.listNftElements({ family: 'ip', table, set });
    this.#routes.clear();
    this.#addresses.clear();
    for (const { to, protocol } of routes) if (protocol === netyardProtocol) this.#routes.add(to);
    for (const { key } of elements) this.#addresses.add(key);
    this.#wake();
  }

  /** Milliseconds from `began` until the kernel has all or none of these. */
  async until(state: 'present' | 'absent', hosts: readonly SimulatedHost[], began: number): Promise<number> {
    const left = [...hosts];
    const timeout = setTimeout(
      () => this.#changed.reject(new Error(`${left.length} hosts are not ${state}`)),
      timeoutMs,
    );
    try {
      for (;;) {
        for (let last = left.at(-1); last !== undefined && this.#is(state, last); last = left.at(-1)) left.pop();
        if (left.length === 0) return performance.now() - began;
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(timeout);
    }
  }

  get count(): number {
    return this.#routes.size;
  }

  #is(state: 'present' | 'absent', { subnet, address }: SimulatedHost): boolean {
    const [route, element] = [this.#routes.has(subnet), this.#addresses.has(address)];
    return state === 'present' ? route && element : !route && !element;
  }

  #record(event: KernelEvent): void {
    if (event.type === 'route' && event.protocol === netyardProtocol) {
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
