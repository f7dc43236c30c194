/** Allocates and releases the interface names, address and MAC of an endpoint. */

import { formatMac, ipToBytes, macFromIpv4, macFromIpv6, NetyardError, newId, parseIp, parseMac } from '@netyard/core';
import type {
  EndpointAddress,
  EndpointConfig,
  EndpointState,
  HostStore,
  NetworkRecord,
  NetworkSettings,
} from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { type Family, families, type PerFamily, perFamily, valuesOf } from '../family.ts';
import type { HostLinks } from '../host-links.ts';
import type { NetworkPools } from '../ipam/network-pools.ts';
import { networkOf } from '../lookup.ts';
import type { HostFacts } from '../model.ts';
import { hostLinkName } from '../object-names.ts';
import { chooseSegment } from '../segments.ts';

/** Dependencies of the functions in this file. */
export interface EndpointDependencies {
  readonly store: HostStore;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly pools: Map<string, NetworkPools>;
  readonly hostLinks: HostLinks;
  facts: HostFacts;
}

export interface EndpointRequest {
  /** Default: a new one. */
  id?: string;
  /** Id of the container, or of another owner of addresses and interface. */
  ownerId: string;
  config: EndpointConfig;
  /** Name of the interface in the namespace. */
  link: string;
  /** Names under which the embedded DNS resolves the endpoint. */
  names: readonly string[];
  /** Addresses that are allocated if they are free and `config` requests no others. */
  preferred?: PerFamily<string>;
  /** The namespace has IPv6 disabled: only an IPv4 address is allocated, as in Docker. */
  withoutIpv6?: boolean;
}

/** Allocates address and interface name in memory; the caller stores them (`storeEndpoint`), or frees them on failure. */
export function allocateEndpoint(context: EndpointDependencies, request: EndpointRequest): EndpointState {
  const { id, ownerId, config, link, names } = request;
  const record = networkOf(context, config.network);
  if (record.configuration) throw new NetyardError('forbidden', 'cannot create endpoint on configuration-only network');
  const empty = emptyEndpoint(record, config, id);
  const { capabilities } = driverOf(record);
  if (!capabilities.addresses) return empty;
  if (config.macAddress && !capabilities.ownMac)
    throw new NetyardError('failed', `${record.driver} interfaces do not support custom mac address assignment`);
  const segment = chooseSegment(context, record);
  const addresses = takeAddresses(context, record, request);
  const hostLink = capabilities.hostInterface ? hostLinkName(empty.id) : '';
  const place = { hostLink, ...(segment === 0 ? {} : { segment }) };
  context.hostLinks.add({ ...place, networkId: record.id }, ownerId);
  return {
    ...empty,
    ...{ link, addresses, ...place },
    mac: capabilities.ownMac ? chooseMac(config, addresses, empty.id) : '',
    aliases: config.aliases ?? [],
    dnsNames: record.predefined ? [] : [...names],
  };
}

/**
 * The requested one, or Docker's one of the IPv4 address, or one of the IPv6 address where there is no IPv4 or only the
 * IPv6 address was requested. So an address that another endpoint gets keeps its MAC, and neighbours that have it in
 * their caches reach the new one at once.
 */
function chooseMac(config: EndpointConfig, { v4, v6 }: EndpointState['addresses'], id: string): string {
  if (config.macAddress) return formatMac(parseMac(config.macAddress));
  const isOnlyV6Requested = config.addresses?.v6 !== undefined && config.addresses.v4 === undefined;
  if (v6 && (isOnlyV6Requested || !v4)) return macFromIpv6(ipToBytes(parseIp(v6.address)));
  return macFromIpv4(v4 ? ipToBytes(parseIp(v4.address)) : Buffer.from(id.slice(0, 8), 'hex'));
}

function emptyEndpoint(record: NetworkRecord, config: EndpointConfig, id = newId()): EndpointState {
  return {
    id,
    networkId: record.id,
    networkName: record.name,
    link: '',
    hostLink: '',
    mac: '',
    addresses: {},
    aliases: [],
    dnsNames: [],
    config,
  };
}

/** One address per family of the network; on failure none is taken. */
function takeAddresses(
  context: EndpointDependencies,
  record: NetworkRecord,
  { ownerId, config: requested, preferred, withoutIpv6 = false }: EndpointRequest,
): EndpointState['addresses'] {
  const pools = context.pools.get(record.id);
  if (!pools) throw new NetyardError('internal', `network ${record.name} has no address pool`);
  const taken: string[] = [];
  try {
    return perFamily((family) => {
      if (record.ipam[family] === undefined || (family === 'v6' && withoutIpv6)) return undefined;
      const former = freeAddress(pools, preferred?.[family]);
      const address = takeAddress(pools, record, family, ownerId, requested.addresses?.[family] ?? former);
      if (requested.addresses?.[family] === undefined) taken.push(address);
      const { subnet: { length: prefixLength } = { length: 0 }, gateway } = pools.poolOf(address) ?? {};
      // Endpoints of an internal network have no default route, and no published ports.
      const router = driverOf(record).routerOf?.(record, family) ?? gateway;
      return { address, prefixLength, ...(record.internal ? {} : wayOut(record, router)) };
    });
  } catch (error) {
    for (const address of taken) pools.free(address, ownerId);
    throw error;
  }
}

function wayOut(record: NetworkRecord, gateway: string | undefined): Pick<EndpointAddress, 'gateway' | 'onLink'> {
  if (driverOf(record).routesOnLink?.(record)) return { onLink: true };
  return gateway === undefined ? {} : { gateway };
}

/** The address, if its subnet exists and no other endpoint has it. */
const freeAddress = (pools: NetworkPools, address: string | undefined): string | undefined =>
  address !== undefined && pools.poolOf(address) && pools.holder(address) === undefined ? address : undefined;

function takeAddress(
  pools: NetworkPools,
  { name, id }: NetworkRecord,
  family: Family,
  holder: string,
  requested: string | undefined,
): string {
  const address = requested ?? pools.next(family);
  if (address === undefined) {
    const what = `no available IP${family} addresses on this network's address pools`;
    throw new NetyardError('failed', `${what}: ${name} (${id})`);
  }
  pools.take(address, holder);
  if (requested === undefined) pools.setCursor(address);
  return address;
}

/** Call inside a store transaction. */
export function storeEndpoint(context: EndpointDependencies, ownerId: string, endpoint: EndpointState): void {
  for (const { address } of valuesOf(endpoint.addresses)) context.store.putLease(endpoint.networkId, address, ownerId);
  const cursors = context.pools.get(endpoint.networkId)?.cursors;
  for (const { family } of dynamicAddresses(endpoint)) {
    const cursor = cursors?.[family];
    if (cursor !== undefined) context.store.putCursor(endpoint.networkId, family, cursor);
  }
}

export function freeEndpoint(context: EndpointDependencies, ownerId: string, endpoint: EndpointState): void {
  context.hostLinks.delete(endpoint);
  const pools = context.pools.get(endpoint.networkId);
  for (const { address } of dynamicAddresses(endpoint)) pools?.free(address, ownerId);
}

/** Call inside a store transaction. */
export function unstoreEndpoint(context: EndpointDependencies, endpoint: EndpointState): void {
  for (const { address } of dynamicAddresses(endpoint)) context.store.deleteLease(endpoint.networkId, address);
}

/** An address requested by the user stays reserved as long as the container exists. */
const dynamicAddresses = ({ addresses, config }: EndpointState): { family: Family; address: string }[] =>
  families.flatMap((family) => {
    const address = addresses[family]?.address;
    return address === undefined || config.addresses?.[family] !== undefined ? [] : [{ family, address }];
  });
