/** What the netlink sockets of one process share. */

/** The kernel splits dumps into datagrams of at most 32 KiB. */
export const bufferLength = 65536;
const keptBuffers = 4;
const keptPorts = 512;

/** Receive buffers of closed sockets, for the next ones: most sockets of other namespaces live for a few messages. */
export class ReceiveBuffers {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(bufferLength);
  }

  give(buffer: Uint8Array): void {
    if (this.#free.length < keptBuffers) this.#free.push(buffer);
  }
}

/** Port ids of the sockets of one process, by which it recognizes notifications of its own changes. */
export class OwnPorts {
  readonly #ids = new Set<number>();

  /** The oldest is forgotten: sockets of other namespaces live for a few messages. */
  add(id: number): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > keptPorts && oldest !== undefined) this.#ids.delete(oldest);
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }
}
