/** A cluster's names in memory: what others publish is put in by the test, what this host publishes is kept. */
import type { RemoteDirectory, RemoteName } from '../src/index.ts';

export class FakeDirectory implements RemoteDirectory {
  readonly hostName: string;
  readonly #listeners = new Set<() => void>();
  others: RemoteName[] = [];
  published: Omit<RemoteName, 'host'>[] = [];
  /** How often `publish` was called. */
  calls = 0;

  constructor(hostName: string) {
    this.hostName = hostName;
  }

  hosts(): string[] {
    return [this.hostName, 'server2', 'server3'];
  }

  names(): RemoteName[] {
    return [...this.others, ...this.published.map((name) => ({ ...name, host: this.hostName }))];
  }

  publish(names: readonly Omit<RemoteName, 'host'>[]): void {
    this.calls += 1;
    this.published = [...names];
  }

  changes(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As if these were published now on the other hosts. */
  tell(...others: RemoteName[]): void {
    this.others = others;
    for (const listener of this.#listeners) listener();
  }
}

/** `name` on `host` with an id made of a digit. */
export const remote = (host: string, name: string, address: string, digit = '1'): RemoteName => ({
  host,
  name,
  address,
  containerId: digit.repeat(64),
});
