/**
 * Tracks host interfaces whose deletion is pending. Deleting a veth pair takes the kernel some 20 ms. A stopping
 * container therefore only releases its namespace; the kernel then deletes the interfaces in it in batches. An interface
 * that still exists after a timeout, because another program holds the namespace open, is deleted by name.
 */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';

const timeoutMilliseconds = 2000;

export class LinkDeletions {
  readonly #kernel: Kernel;
  readonly #logger: Logger;
  readonly #pending = new Map<string, NodeJS.Timeout>();

  constructor(kernel: Kernel, logger: Logger) {
    this.#kernel = kernel;
    this.#logger = logger;
  }

  has(link: string): boolean {
    return this.#pending.has(link);
  }

  expect(link: string): void {
    const timer = setTimeout(() => void this.#deleteByName(link), timeoutMilliseconds);
    this.#pending.set(link, timer.unref());
  }

  /** The kernel reported the interface's deletion. */
  confirm(link: string): void {
    clearTimeout(this.#pending.get(link));
    this.#pending.delete(link);
  }

  /** Deletes interfaces that still exist. */
  async close(): Promise<void> {
    await Promise.all([...this.#pending.keys()].map((link) => this.#deleteByName(link)));
  }

  async #deleteByName(link: string): Promise<void> {
    try {
      const veth = { kind: 'veth', name: link, up: false, peer: { name: 'eth0', up: false } } as const;
      await this.#kernel.remove({ owner: `link ${link}`, objects: [veth] });
    } catch (error) {
      this.#logger.error('an interface of a stopped container could not be deleted', { link, error: messageOf(error) });
    } finally {
      this.confirm(link);
    }
  }
}
