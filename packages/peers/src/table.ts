/**
 * Index of the known peers by name, address and subnet. A second claim to an address or a subnet is rejected; the claimant
 * is found without a scan.
 */
import { formatPrefix, lastOf, NetyardError, type Prefix, PrefixIndex, parseIp, parsePrefix } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import type { KnownPeers, PeerOrigin, PeerPath, PeerRecord, PeerRequest } from './contract.ts';
import { needsTunnel } from './plan.ts';
import { tunnelMac } from './tunnel.ts';

/** A desired peer and its current path. */
export interface Peer {
  readonly record: PeerRecord;
  readonly origin: PeerOrigin;
  path?: PeerPath | undefined;
  /** Why there is no path. */
  problem?: string | undefined;
  /** The kernel objects last applied for it by this process. */
  applied?: readonly KernelObject[];
}

/** A peer that the cluster announces and that is rejected. */
export interface RefusedRecord {
  record: PeerRecord;
  problem: string;
}

export class PeerTable implements KnownPeers {
  readonly #byName = new Map<string, Peer>();
  readonly #byAddress = new Map<string, Peer>();
  /** By the MAC of its end of the tunnel. */
  readonly #byMac = new Map<string, Peer>();
  readonly #bySubnet = new PrefixIndex<Peer>();
  readonly #claims = new Set<Peer>();
  /** How many parts of networks with IPv6 the host with an IPv4 address has, which need the tunnel. */
  readonly #ipv6Parts = new Map<string, number>();
  /** By name: announced by the cluster, but rejected. */
  readonly refused = new Map<string, RefusedRecord>();
  /** The cluster's peers are not known yet, so no kernel object of a peer counts as orphaned. */
  awaitsCluster: boolean;

  constructor(peers: Iterable<Peer>, options: { awaitsCluster: boolean }) {
    this.awaitsCluster = options.awaitsCluster;
    for (const peer of peers) this.#byName.set(peer.record.name, peer);
  }

  /** With copies of the peers, which change independently. */
  copy(): PeerTable {
    const table = new PeerTable([], { awaitsCluster: this.awaitsCluster });
    for (const peer of this.values()) {
      const copy = { ...peer };
      table.#byName.set(peer.record.name, copy);
      if (this.#claims.has(peer)) table.claim(copy);
    }
    for (const [address, count] of this.#ipv6Parts) table.#ipv6Parts.set(address, count);
    for (const [name, refused] of this.refused) table.refused.set(name, refused);
    return table;
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

  refusalOf(name: string): string | undefined {
    return this.refused.get(name)?.problem;
  }

  /** Throws `conflict` for a name, an address or a subnet that another peer has. */
  check(peer: Pick<PeerRequest, 'name' | 'address' | 'subnets' | 'network'>): void {
    if (this.#byName.has(peer.name)) throw new NetyardError('conflict', `peer ${peer.name} exists already`);
    this.#checkClaims(peer);
  }

  /** Throws as `check` does. */
  add(peer: Peer): void {
    this.check(peer.record);
    this.#byName.set(peer.record.name, peer);
    this.#countIpv6Part(peer, 1);
    this.claim(peer);
  }

  delete(name: string): Peer | undefined {
    const peer = this.#byName.get(name);
    if (peer === undefined) return undefined;
    this.releaseClaim(peer);
    this.#byName.delete(name);
    this.#countIpv6Part(peer, -1);
    return peer;
  }

  /** Registers a peer's address and subnets, unless it holds them already. Throws `conflict`. */
  claim(peer: Peer): void {
    if (this.#claims.has(peer)) return;
    this.#checkClaims(peer.record);
    const { address, network } = peer.record;
    if (network === undefined) {
      this.#byAddress.set(address, peer);
      this.#byMac.set(tunnelMac(address), peer);
    }
    for (const subnet of peer.record.subnets) this.#bySubnet.add(parsePrefix(subnet), peer);
    this.#claims.add(peer);
  }

  releaseClaim(peer: Peer): void {
    if (!this.#claims.delete(peer)) return;
    const { address, network } = peer.record;
    if (network === undefined) {
      this.#byAddress.delete(address);
      this.#byMac.delete(tunnelMac(address));
    }
    for (const subnet of peer.record.subnets) this.#bySubnet.delete(parsePrefix(subnet));
  }

  #countIpv6Part({ record }: Peer, change: 1 | -1): void {
    if (record.network === undefined || !needsTunnel(record)) return;
    const count = (this.#ipv6Parts.get(record.address) ?? 0) + change;
    if (count === 0) this.#ipv6Parts.delete(record.address);
    else this.#ipv6Parts.set(record.address, count);
  }

  /** Whether the peer's host has parts that need the tunnel, though its own subnets may not. */
  hasIpv6Parts({ record: { address, network } }: Peer): boolean {
    return network === undefined && this.#ipv6Parts.has(address);
  }

  /** The peers of whom that holds. */
  withIpv6Parts(): Set<Peer> {
    return new Set([...this.#ipv6Parts.keys()].flatMap((address) => this.findByAddress(address) ?? []));
  }

  findByAddress(address: string): Peer | undefined {
    return this.#byAddress.get(address);
  }

  findByMac(mac: string): Peer | undefined {
    return this.#byMac.get(mac);
  }

  /** The peer whose subnet contains an address. */
  findBySubnet(address: string): Peer | undefined {
    return this.#bySubnet.find(parseIp(address))?.value;
  }

  findOverlap(prefix: Prefix): ReturnType<KnownPeers['findOverlap']> {
    const found = this.#bySubnet.overlapping(prefix);
    if (!found) return undefined;
    return { name: found.value.record.name, subnet: formatPrefix(found.prefix), last: lastOf(found.prefix).value };
  }

  #checkClaims({ address, subnets, network }: Pick<PeerRequest, 'address' | 'subnets' | 'network'>): void {
    const holder = network === undefined ? this.#byAddress.get(address) : undefined;
    if (holder) throw new NetyardError('conflict', `${address} is the address of peer ${holder.record.name} already`);
    const double = network === undefined ? this.#byMac.get(tunnelMac(address)) : undefined;
    if (double)
      throw new NetyardError(
        'conflict',
        `${address} has the same MAC in the tunnel as ${double.record.address} of peer ${double.record.name}`,
        { hint: 'use another address of the host' },
      );
    for (const subnet of subnets) {
      const taken = this.#bySubnet.overlapping(parsePrefix(subnet));
      if (!taken) continue;
      const theirs = `${formatPrefix(taken.prefix)} of peer ${taken.value.record.name}`;
      throw new NetyardError('conflict', `subnet ${subnet} overlaps with ${theirs}`);
    }
  }
}
