/**
 * Claims this host's part of each network of the cluster, now and whenever one is created: one etcd transaction, which
 * takes a part only if no other host has it and the network exists. The key is attached to the lease of the host's subnet.
 */
import type { ClusterNetwork } from './contract.ts';
import type { EtcdSession } from './etcd/session.ts';
import { hasValue, put, unchanged } from './etcd/txn.ts';
import { encodeKey } from './keys.ts';
import { chooseSubnet } from './pool.ts';
import { encodePart } from './values.ts';

/** A network as this host finds it in etcd. */
export interface ClaimableNetwork extends ClusterNetwork {
  /** The text of its record. */
  text: string;
  /** All parts that some key holds, valid or not. */
  taken: ReadonlySet<string>;
  /** This host's own part. */
  part: string | undefined;
}

export interface PartClaimsOptions {
  cluster: string;
  hostName: string;
  /** Identity of this host. */
  id: string;
  networks(): readonly ClaimableNetwork[];
  /** Called once when a network has no part left for this host. */
  full(network: ClusterNetwork): void;
}

export class PartClaims {
  readonly #options: PartClaimsOptions;
  /** The last part of each network, which is claimed again after the lease has expired. */
  readonly #last = new Map<string, string>();
  readonly #reportedFull = new Set<string>();
  #dirty = Promise.withResolvers<void>();

  constructor(options: PartClaimsOptions) {
    this.#options = options;
  }

  /** Called when networks or parts have changed. */
  changed(): void {
    const ids = new Set<string>();
    for (const { id, part } of this.#options.networks()) {
      ids.add(id);
      if (part !== undefined) this.#last.set(id, part);
    }
    for (const id of this.#reportedFull) if (!ids.has(id)) this.#reportedFull.delete(id);
    this.#dirty.resolve();
  }

  /** Claims until the connection ends; ends by rejecting. */
  async run(session: EtcdSession, lease: bigint, signal: AbortSignal): Promise<never> {
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    aborted.promise.catch(() => undefined); // a claim may fail before it is awaited
    for (;;) {
      signal.throwIfAborted();
      this.#dirty = Promise.withResolvers();
      for (const network of this.#options.networks())
        if (network.part === undefined) await this.#claim(session, network, lease);
      await Promise.race([this.#dirty.promise, aborted.promise]);
    }
  }

  /** A claim that fails is repeated after the change that another host made, which the watch reports. */
  async #claim(session: EtcdSession, network: ClaimableNetwork, lease: bigint): Promise<void> {
    const { cluster, hostName, id } = this.#options;
    const subnet = this.#choose(network);
    if (subnet === undefined) {
      if (!this.#reportedFull.has(network.id)) this.#options.full(network);
      this.#reportedFull.add(network.id);
      return;
    }
    const key = encodeKey(cluster, { kind: 'part', networkId: network.id, subnet });
    const networkKey = encodeKey(cluster, { kind: 'network', name: network.name });
    await session.kv.txn({
      compare: [hasValue(networkKey, network.text), unchanged(key, 0n)],
      success: [put(key, encodePart({ id, host: hostName }), lease)],
    });
  }

  #choose({ id, subnet, partSize, taken }: ClaimableNetwork): string | undefined {
    const last = this.#last.get(id);
    if (last !== undefined && !taken.has(last)) return last;
    return chooseSubnet({ subnet, subnetSize: partSize }, this.#options.id, taken, []);
  }
}
