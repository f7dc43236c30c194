/**
 * The peers that this host knows: by name, and by what each of them claims, its address and its subnets. Nothing claimed
 * twice is let in; who claims what is found without looking at the others.
 */
import { formatPrefix, NetyardError, PrefixIndex, parseIp, parsePrefix } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import type { PeerOrigin, PeerPath, PeerRecord, PeerRequest } from '../contract.ts';

/** A peer that is wanted, and where it was found. */
export interface Peer {
  readonly record: PeerRecord;
  readonly origin: PeerOrigin;
  path?: PeerPath | undefined;
  /** Why there is no path. */
  problem?: string | undefined;
  /** What was made of it in the kernel, as far as this process knows. */
  made?: readonly KernelObject[];
}

/** One that the cluster announces and that is not let in. */
export interface RefusedRecord {
  record: PeerRecord;
  problem: string;
}

export class PeerTable {
  readonly #byName = new Map<string, Peer>();
  readonly #byAddress = new Map<string, Peer>();
  readonly #bySubnet = new PrefixIndex<Peer>();
  readonly #claims = new Set<Peer>();
  /** By name: announced by the cluster and not among the peers. */
  readonly refused = new Map<string, RefusedRecord>();
  /** The cluster's list is still to come: nothing in the kernel belongs to nobody yet. */
  awaitsCluster: boolean;

  constructor(peers: Iterable<Peer>, options: { awaitsCluster: boolean }) {
    this.awaitsCluster = options.awaitsCluster;
    for (const peer of peers) this.#byName.set(peer.record.name, peer);
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Peer | undefined {
    return this.#byName.get(name);
  }

  values(): Iterable<Peer> {
    return this.#byName.values();
  }

  /** Throws `conflict` for a name, an address or a subnet that another one has. */
  check(wanted: Pick<PeerRequest, 'name' | 'address' | 'subnets'>): void {
    if (this.#byName.has(wanted.name)) throw new NetyardError('conflict', `peer ${wanted.name} exists already`);
    this.#checkClaims(wanted);
  }

  /** Throws what `check` throws. */
  add(peer: Peer): void {
    this.check(peer.record);
    this.#byName.set(peer.record.name, peer);
    this.claim(peer);
  }

  delete(name: string): Peer | undefined {
    const peer = this.#byName.get(name);
    if (peer === undefined) return undefined;
    this.disclaim(peer);
    this.#byName.delete(name);
    return peer;
  }

  /** Takes address and subnets for a peer, unless it has them. Throws `conflict`. */
  claim(peer: Peer): void {
    if (this.#claims.has(peer)) return;
    this.#checkClaims(peer.record);
    this.#byAddress.set(peer.record.address, peer);
    for (const subnet of peer.record.subnets) this.#bySubnet.add(parsePrefix(subnet), peer);
    this.#claims.add(peer);
  }

  disclaim(peer: Peer): void {
    if (!this.#claims.delete(peer)) return;
    this.#byAddress.delete(peer.record.address);
    for (const subnet of peer.record.subnets) this.#bySubnet.delete(parsePrefix(subnet));
  }

  withAddress(address: string): Peer | undefined {
    return this.#byAddress.get(address);
  }

  /** Whose subnet an address is in. */
  behind(address: string): Peer | undefined {
    return this.#bySubnet.find(parseIp(address))?.value;
  }

  #checkClaims({ address, subnets }: Pick<PeerRequest, 'address' | 'subnets'>): void {
    const holder = this.#byAddress.get(address);
    if (holder) throw new NetyardError('conflict', `${address} is the address of peer ${holder.record.name} already`);
    for (const subnet of subnets) {
      const taken = this.#bySubnet.overlapping(parsePrefix(subnet));
      if (!taken) continue;
      const theirs = `${formatPrefix(taken.prefix)} of peer ${taken.value.record.name}`;
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with ${theirs}`);
    }
  }
}
