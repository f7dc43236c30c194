/**
 * Links on their way out. Deleting a veth pair takes the kernel some 20 ms, so a container that stops only lets go of
 * its namespace, which takes its links along a moment later, many at a time. Whether it did is looked after here:
 * something else may hold the namespace open, and then the link is deleted by name.
 */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';

const patienceMilliseconds = 2000;

export class Departures {
  readonly #kernel: Kernel;
  readonly #logger: Logger;
  readonly #leaving = new Map<string, NodeJS.Timeout>();

  constructor(kernel: Kernel, logger: Logger) {
    this.#kernel = kernel;
    this.#logger = logger;
  }

  has(link: string): boolean {
    return this.#leaving.has(link);
  }

  expect(link: string): void {
    const timer = setTimeout(() => void this.#push(link), patienceMilliseconds);
    this.#leaving.set(link, timer.unref());
  }

  /** The kernel told that the link is gone. */
  confirm(link: string): void {
    clearTimeout(this.#leaving.get(link));
    this.#leaving.delete(link);
  }

  /** Deletes what has not gone by itself yet. */
  async close(): Promise<void> {
    await Promise.all([...this.#leaving.keys()].map((link) => this.#push(link)));
  }

  async #push(link: string): Promise<void> {
    try {
      const veth = { kind: 'veth', name: link, up: false, peer: { name: 'eth0', up: false } } as const;
      await this.#kernel.remove({ owner: `link ${link}`, objects: [veth] });
    } catch (error) {
      this.#logger.error('a link of a stopped container could not be deleted', { link, error: messageOf(error) });
    } finally {
      this.confirm(link);
    }
  }
}
