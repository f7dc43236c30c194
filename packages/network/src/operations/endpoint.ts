/** Allocates and releases the interface names, address and MAC of an endpoint. */
import { formatMac, ipToBytes, macFromIpv4, NetyardError, newId, parseIp, parseMac, shortId } from '@netyard/core';
import type {
  EndpointConfig,
  EndpointState,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
  SandboxConfig,
} from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import type { AddressPool } from '../ipam/pool.ts';
import { networkOf } from '../lookup.ts';
import { hostLinkName } from '../object-names.ts';
import { hostnameOf } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface EndpointDependencies {
  readonly store: NetworkStore;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly pools: Map<string, AddressPool>;
  readonly hostLinks: Map<string, string>;
}

/** Allocates address and interface name in memory; the caller stores them (`storeEndpoint`), or frees them on failure. */
export function allocateEndpoint(
  context: EndpointDependencies,
  config: SandboxConfig,
  endpointConfig: EndpointConfig,
  others: readonly EndpointState[],
): EndpointState {
  const record = networkOf(context, endpointConfig.network);
  if (!driverOf(record).capabilities.addresses) return emptyEndpoint(record, endpointConfig);
  const pool = context.pools.get(record.id);
  if (!pool) throw new NetyardError('internal', `network ${record.name} has no address pool`);
  const ipv4Address = takeAddress(pool, record, config, endpointConfig);
  const empty = emptyEndpoint(record, endpointConfig);
  const hostLink = hostLinkName(empty.id);
  context.hostLinks.set(hostLink, config.containerId);
  const mac = endpointConfig.macAddress
    ? formatMac(parseMac(endpointConfig.macAddress))
    : macFromIpv4(ipToBytes(parseIp(ipv4Address)));
  const aliases = endpointConfig.aliases ?? [];
  return {
    ...empty,
    link: chooseLinkName(others),
    hostLink,
    mac,
    ipv4Address,
    ipv4PrefixLength: pool.subnet.length,
    ipv4Gateway: record.ipam.pools[0]?.gateway ?? '',
    aliases,
    dnsNames: record.predefined ? [] : dnsNames(config, aliases),
  };
}

function emptyEndpoint(record: NetworkRecord, config: EndpointConfig): EndpointState {
  return {
    id: newId(),
    networkId: record.id,
    networkName: record.name,
    link: '',
    hostLink: '',
    mac: '',
    ipv4Address: '',
    ipv4PrefixLength: 0,
    ipv4Gateway: '',
    ipv6Address: '',
    ipv6PrefixLength: 0,
    ipv6Gateway: '',
    aliases: [],
    dnsNames: [],
    config,
  };
}

/** Names under which the embedded DNS resolves an endpoint; the first one is used for the PTR record. */
export function dnsNames(config: SandboxConfig, aliases: readonly string[]): string[] {
  return [...new Set([config.name, ...aliases, shortId(config.containerId), hostnameOf(config)])];
}

function takeAddress(
  pool: AddressPool,
  record: NetworkRecord,
  config: SandboxConfig,
  endpointConfig: EndpointConfig,
): string {
  if (endpointConfig.ipv4Address) {
    pool.take(endpointConfig.ipv4Address, config.containerId);
    return endpointConfig.ipv4Address;
  }
  const address = pool.next();
  if (address === undefined) {
    const where = `${record.name} (${record.id})`;
    throw new NetyardError('internal', `no available IPv4 addresses on this network's address pools: ${where}`);
  }
  pool.take(address, config.containerId);
  pool.cursor = address;
  return address;
}

function chooseLinkName(others: readonly EndpointState[]): string {
  const used = new Set(others.map((endpoint) => endpoint.link));
  for (let index = 0; ; index += 1) if (!used.has(`eth${index}`)) return `eth${index}`;
}

/** Call inside a store transaction. */
export function storeEndpoint(context: EndpointDependencies, containerId: string, endpoint: EndpointState): void {
  if (endpoint.ipv4Address === '') return;
  context.store.putLease(endpoint.networkId, endpoint.ipv4Address, containerId);
  if (!endpoint.config.ipv4Address) context.store.putCursor(endpoint.networkId, endpoint.ipv4Address);
}

/** An address requested by the user stays reserved as long as the container exists. */
export function freeEndpoint(context: EndpointDependencies, containerId: string, endpoint: EndpointState): void {
  if (endpoint.hostLink !== '') context.hostLinks.delete(endpoint.hostLink);
  if (endpoint.ipv4Address === '' || endpoint.config.ipv4Address) return;
  context.pools.get(endpoint.networkId)?.free(endpoint.ipv4Address, containerId);
}

/** Call inside a store transaction. */
export function unstoreEndpoint(context: EndpointDependencies, endpoint: EndpointState): void {
  if (endpoint.ipv4Address === '' || endpoint.config.ipv4Address) return;
  context.store.deleteLease(endpoint.networkId, endpoint.ipv4Address);
}
