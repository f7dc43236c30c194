/** An in-memory cluster directory: the test sets what other hosts publish and reads what this host publishes. */
import type { RemoteDirectory, RemoteEndpoint, RemoteName } from '../src/index.ts';

export class FakeDirectory implements RemoteDirectory {
  readonly hostName: string;
  readonly #listeners = new Set<() => void>();
  others: RemoteName[] = [];
  published: Omit<RemoteName, 'host'>[] = [];
  endpointsOfOthers: RemoteEndpoint[] = [];
  publishedEndpoints: Omit<RemoteEndpoint, 'host'>[] = [];
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

  endpoints(): RemoteEndpoint[] {
    return this.endpointsOfOthers;
  }

  publishEndpoints(endpoints: readonly Omit<RemoteEndpoint, 'host'>[]): void {
    this.publishedEndpoints = [...endpoints];
  }

  changes(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Simulates that the other hosts now publish exactly these names. */
  setRemote(...others: RemoteName[]): void {
    this.others = others;
    for (const listener of this.#listeners) listener();
  }
}

/** A container `name` on `host` whose id repeats one digit. */
export const remote = (host: string, name: string, address: string, digit = '1'): RemoteName => ({
  host,
  name,
  address,
  containerId: digit.repeat(64),
});
