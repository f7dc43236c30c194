/**
 * Remembers which upstream servers did not answer, so that queries go to the others first. Time is in milliseconds of any
 * monotonic clock, passed by the caller. Pure.
 */

/** After this time one query tries the server first again; the others wait for its result for `probeTime`. */
const retryTime = 30_000;
const probeTime = 5_000;

export class ServerHealth {
  /** When a server that did not answer is tried again. */
  readonly #retryAt = new Map<string, number>();

  /** The order in which to ask: servers that answer in the order given, then the others. */
  order(servers: readonly string[], now: number): string[] {
    for (const server of this.#retryAt.keys()) if (!servers.includes(server)) this.#retryAt.delete(server);
    const failed = (server: string): boolean => (this.#retryAt.get(server) ?? 0) > now;
    const due = servers.find((server) => this.#retryAt.has(server) && !failed(server));
    if (due !== undefined) this.#retryAt.set(due, now + probeTime);
    return [
      ...servers.filter((server) => server === due || !failed(server)),
      ...servers.filter((server) => server !== due && failed(server)),
    ];
  }

  failed(server: string, now: number): void {
    this.#retryAt.set(server, now + retryTime);
  }

  answered(server: string): void {
    this.#retryAt.delete(server);
  }
}
