/**
 * The networks of this host by id, with indexes of their bridges, parents and subnets, so that an event of the kernel and the
 * creation of a network cost the same with a thousand networks as with one.
 */
import { formatIp, ipFromBytes } from '@netyard/core';
import type { NetworkRecord, SubnetPool } from './contract.ts';
import { findDriver } from './drivers/index.ts';
import { type Family, valuesOf } from './family.ts';
import { SubnetSpace } from './ipam/subnet-space.ts';
import type { BridgeSettings, FamilySettings } from './model.ts';

type Bridge = Pick<BridgeSettings, 'link' | 'wholeSubnet' | Family>;

export class NetworkTable extends Map<string, NetworkRecord> {
  readonly #pools: readonly SubnetPool[];
  #version = 0;
  readonly #subnets: SubnetSpace;
  readonly #bridges = new Map<string, Bridge>();
  readonly #byLink = new Map<string, string>();
  readonly #byAddress = new Map<string, string>();
  readonly #bySubnet = new Map<string, string>();
  readonly #byParent = new Map<string, Set<string>>();
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
    const bridge = bridgeOf(record);
    if (!bridge) return this;
    this.#bridges.set(id, bridge);
    for (const [index, key] of this.#keysOf(bridge)) if (!index.has(key)) index.set(key, id);
    return this;
  }

  override delete(id: string): boolean {
    this.#unindex(id);
    return super.delete(id);
  }

  /** The network whose bridge has this interface name. */
  byLink(link: string): string | undefined {
    return this.#byLink.get(link);
  }

  /** The network whose bridge has this address, with its prefix length. */
  byAddress(prefix: string): string | undefined {
    return this.#byAddress.get(prefix);
  }

  /**
   * The network of an element that begins with the name of a bridge, the first address of its subnet, or its address
   * there: a key as the kernel encodes it.
   */
  byElement(key: Uint8Array): string | undefined {
    if (key.length === 4) return this.#byFirst.get(formatIp(ipFromBytes(key)));
    const end = key.indexOf(0);
    return this.#byLink.get(Buffer.from(key.subarray(0, end < 0 ? undefined : end)).toString());
  }

  /** The network with exactly this subnet. */
  bySubnet(subnet: string): string | undefined {
    return this.#bySubnet.get(subnet);
  }

  /** Networks whose endpoints are attached to this interface of the host. */
  byParent(link: string): ReadonlySet<string> | undefined {
    return this.#byParent.get(link);
  }

  copy(): NetworkTable {
    return new NetworkTable(this.values(), this.#pools);
  }

  #addParent(record: NetworkRecord): void {
    const parent = findDriver(record.driver)?.parentOf(record)?.link;
    if (parent === undefined) return;
    const ids = this.#byParent.get(parent) ?? new Set();
    this.#byParent.set(parent, ids.add(record.id));
  }

  #removeParent(record: NetworkRecord): void {
    const parent = findDriver(record.driver)?.parentOf(record)?.link;
    if (parent === undefined) return;
    const ids = this.#byParent.get(parent);
    ids?.delete(record.id);
    if (ids?.size === 0) this.#byParent.delete(parent);
  }

  #unindex(id: string): void {
    this.#version += 1;
    const record = this.get(id);
    for (const subnet of record ? subnetsOf(record) : []) this.#subnets.free(subnet, id);
    if (record) this.#removeParent(record);
    const bridge = this.#bridges.get(id);
    if (!bridge) return;
    for (const [index, key] of this.#keysOf(bridge)) if (index.get(key) === id) index.delete(key);
    this.#bridges.delete(id);
  }

  #addressKeys(address: string): [Map<string, string>, string][] {
    return [
      [this.#byAddress, address],
      [this.#byFirst, addressOf(address)],
    ];
  }

  #keysOf(bridge: Bridge): [Map<string, string>, string][] {
    const perFamily = valuesOf<FamilySettings>(bridge).map(({ subnet, address }): [Map<string, string>, string][] => [
      [this.#bySubnet, subnet],
      [this.#byFirst, addressOf(subnet)],
      ...(address === undefined ? [] : this.#addressKeys(address)),
    ]);
    const { link, wholeSubnet } = bridge;
    const whole: [Map<string, string>, string][] =
      wholeSubnet === undefined ? [] : [[this.#byFirst, addressOf(wholeSubnet)]];
    return [[this.#byLink, link], ...perFamily.flat(), ...whole];
  }
}

/** What other networks must not overlap with: of a network of the cluster its whole subnet. */
export const subnetsOf = ({ cluster, ipam }: Pick<NetworkRecord, 'cluster' | 'ipam'>): string[] =>
  cluster === undefined
    ? valuesOf(ipam)
        .flat()
        .map(({ subnet }) => subnet)
    : [cluster.subnet];

const addressOf = (prefix: string): string => prefix.replace(/\/.*$/, '');

/** Undefined for a network without a bridge, and for a record that its driver cannot plan. */
function bridgeOf(record: NetworkRecord): Bridge | undefined {
  try {
    return findDriver(record.driver)?.openPlanner(record).bridge;
  } catch {
    return undefined;
  }
}
