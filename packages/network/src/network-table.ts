/**
 * The networks of this host by id, with indexes of their bridges, parents and subnets, so that an event of the kernel and the
 * creation of a network cost the same with a thousand networks as with one.
 */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { NetworkRecord, SubnetPool } from './contract.ts';
import { ndpProxyLinks } from './drivers/bridge/ndp-proxy.ts';
import type { NetworkPlanner, ParentInterface } from './drivers/driver.ts';
import { findDriver } from './drivers/index.ts';
import { type Family, valuesOf } from './family.ts';
import { linkOfElementKey } from './firewall/element-key.ts';
import { SubnetSpace } from './ipam/subnet-space.ts';
import type { BridgeSettings, FamilySettings } from './model.ts';
import { segmentLinks, segmentOfLink } from './object-names.ts';

type Bridge = Pick<BridgeSettings, 'networkId' | 'link' | Family>;
/** A key of an index. */
type IndexKey = [index: Map<string, string>, key: string];

export class NetworkTable extends Map<string, NetworkRecord> {
  readonly #pools: readonly SubnetPool[];
  #version = 0;
  readonly #subnets: SubnetSpace;
  readonly #keys = new Map<string, readonly IndexKey[]>();
  readonly #byLink = new Map<string, string>();
  /** Those that may have segments, by the beginning of their ids in the names of the segments' interfaces. */
  readonly #bySegmentPrefix = new Map<string, string>();
  readonly #byAddress = new Map<string, string>();
  readonly #bySubnet = new Map<string, string>();
  readonly #byParent = new Map<string, Set<string>>();
  readonly #byVlanBase = new Map<string, Set<string>>();
  readonly #byNdpProxy = new Map<string, Set<string>>();
  /** Networks whose endpoints have a route on the host each. */
  readonly #routing = new Set<string>();
  /** By the first address of the subnets, and by the host's address in them. */
  readonly #byFirst = new Map<string, string>();

  /** @param pools of automatic subnets */
  constructor(records: Iterable<NetworkRecord>, pools: readonly SubnetPool[]) {
    super();
    this.#pools = pools;
    this.#subnets = new SubnetSpace(pools);
    for (const record of records) this.set(record.id, record);
  }

  get subnets(): Pick<SubnetSpace, 'overlapping' | 'next'> {
    return this.#subnets;
  }

  /** Changes with every change of a network. */
  get version(): number {
    return this.#version;
  }

  override set(id: string, record: NetworkRecord): this {
    this.#unindex(id);
    super.set(id, record);
    for (const subnet of subnetsOf(record)) this.#subnets.take(subnet, id);
    this.#addParent(record);
    const planner = plannerOf(record);
    if (planner === undefined) return this;
    this.#keys.set(id, this.#keysOf(planner));
    this.#addKeys(id);
    if (planner.hostLinks?.some(({ addresses }) => addresses.length > 0)) this.#routing.add(id);
    return this;
  }

  override delete(id: string): boolean {
    this.#unindex(id);
    return super.delete(id);
  }

  /** The network that created the interface of this name: its bridge, one of a segment, its parent, or the host's access to it. */
  byLink(link: string): string | undefined {
    return this.#byLink.get(link) ?? this.#bySegmentPrefix.get(segmentOfLink(link)?.networkPrefix ?? '');
  }

  /** The network on whose bridge, or other interface of `byLink`, the host has this address, with its prefix length. */
  byAddress(prefix: string): string | undefined {
    return this.#byAddress.get(prefix);
  }

  /**
   * The network of an element that begins with the name of a bridge, or with the first address of its subnet or its
   * address there: a key as the kernel encodes it. Names have 16 bytes, as IPv6 addresses have.
   */
  byElement(key: Uint8Array, begin: 'link' | 'address'): string | undefined {
    if (begin === 'address') return this.#byFirst.get(formatIp(ipFromBytes(key)));
    return this.#byLink.get(linkOfElementKey(key));
  }

  /** The network with exactly this subnet. */
  bySubnet(subnet: string): string | undefined {
    return this.#bySubnet.get(subnet);
  }

  /** Networks whose endpoints are attached to this interface of the host. */
  byParent(link: string): ReadonlySet<string> | undefined {
    return this.#byParent.get(link);
  }

  /** Networks that created a VLAN sub-interface of this interface of the host. */
  byVlanBase(link: string): ReadonlySet<string> | undefined {
    return this.#byVlanBase.get(link);
  }

  /** Networks for whose endpoints the host answers neighbour solicitations on this interface. */
  byNdpProxy(link: string): ReadonlySet<string> | undefined {
    return this.#byNdpProxy.get(link);
  }

  /** Whether the host has a route to each endpoint of the network; without an id, of any network. */
  routesToEndpoints(id?: string): boolean {
    return id === undefined ? this.#routing.size > 0 : this.#routing.has(id);
  }

  copy(): NetworkTable {
    return new NetworkTable(this.values(), this.#pools);
  }

  /** Interfaces of the host on which the endpoints of a network depend. */
  #parentKeys(record: NetworkRecord): [index: Map<string, Set<string>>, link: string][] {
    const parent = parentOf(record);
    if (parent === undefined) return proxyLinksOf(record).map((link) => [this.#byNdpProxy, link]);
    const { link, created } = parent;
    return created?.kind === 'vlan'
      ? [
          [this.#byParent, link],
          [this.#byVlanBase, created.parent],
        ]
      : [[this.#byParent, link]];
  }

  #addParent(record: NetworkRecord): void {
    for (const [index, link] of this.#parentKeys(record)) {
      const ids = index.get(link) ?? new Set();
      index.set(link, ids.add(record.id));
    }
  }

  #removeParent(record: NetworkRecord): void {
    for (const [index, link] of this.#parentKeys(record)) {
      const ids = index.get(link);
      ids?.delete(record.id);
      if (ids?.size === 0) index.delete(link);
    }
  }

  #unindex(id: string): void {
    this.#version += 1;
    const record = this.get(id);
    for (const subnet of record ? subnetsOf(record) : []) this.#subnets.free(subnet, id);
    if (record) this.#removeParent(record);
    for (const [index, key] of this.#keys.get(id) ?? []) if (index.get(key) === id) index.delete(key);
    this.#keys.delete(id);
    this.#routing.delete(id);
    const parent = record && parentOf(record)?.link;
    for (const other of this.byParent(parent ?? '') ?? []) this.#addKeys(other); // which may have created it as well
  }

  #addKeys(id: string): void {
    for (const [index, key] of this.#keys.get(id) ?? []) if (!index.has(key)) index.set(key, id);
  }

  #addressKeys(address: string): IndexKey[] {
    return [
      [this.#byAddress, address],
      [this.#byFirst, addressOf(address)],
    ];
  }

  #keysOf({ bridge, hostLinks = [], planSegment }: NetworkPlanner): IndexKey[] {
    const prefix = planSegment && bridge ? segmentOfLink(segmentLinks(bridge.networkId, 0).bridge) : undefined;
    return [
      ...(prefix === undefined ? [] : [[this.#bySegmentPrefix, prefix.networkPrefix] satisfies IndexKey]),
      ...(bridge === undefined ? [] : this.#bridgeKeys(bridge)),
      ...hostLinks.flatMap(({ link, addresses }): IndexKey[] => [
        [this.#byLink, link],
        ...addresses.map((address): IndexKey => [this.#byAddress, address]),
      ]),
    ];
  }

  #bridgeKeys(bridge: Bridge): IndexKey[] {
    const perFamily = valuesOf<FamilySettings>(bridge).map(({ subnet, address, wholeSubnet }): IndexKey[] => [
      [this.#bySubnet, subnet],
      [this.#byFirst, addressOf(subnet)],
      ...(address === undefined ? [] : this.#addressKeys(address)),
      ...(wholeSubnet === undefined ? [] : [[this.#byFirst, addressOf(wholeSubnet)] satisfies IndexKey]),
    ]);
    return [[this.#byLink, bridge.link], ...perFamily.flat()];
  }
}

/** What other networks must not overlap with: of a network of the cluster its whole subnets. */
export const subnetsOf = ({ cluster, ipam }: Pick<NetworkRecord, 'cluster' | 'ipam'>): string[] =>
  cluster === undefined
    ? valuesOf(ipam)
        .flat()
        .map(({ subnet }) => subnet)
    : [cluster.subnet, ...(cluster.ipv6 ? [cluster.ipv6.subnet] : [])];

function proxyLinksOf(record: NetworkRecord): string[] {
  const bridge = plannerOf(record)?.bridge;
  return bridge ? ndpProxyLinks(bridge) : [];
}

const addressOf = (prefix: string): string => prefix.replace(/\/.*$/, '');

/** Undefined for a record that its driver cannot plan. */
function plannerOf(record: NetworkRecord): NetworkPlanner | undefined {
  try {
    return findDriver(record.driver)?.openPlanner(record);
  } catch {
    return undefined;
  }
}

const parentOf = (record: NetworkRecord): ParentInterface | undefined => findDriver(record.driver)?.parentOf(record);
