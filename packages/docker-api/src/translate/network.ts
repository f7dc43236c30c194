/** Translates networks and endpoints between Docker's JSON and the network package's values. Pure. */
import type { EndpointSettings, JsonNumber, Network, StoppedContainer } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { NetworkService } from '@netyard/engine';
import {
  type EndpointConfig,
  type EndpointState,
  families,
  type IpamPool,
  type NetworkRecord,
  ofFamily,
  perFamily,
} from '@netyard/network';
import type { Networks } from '@netyard/sandbox';
import type { EndpointBody } from '../schemas/bodies.ts';
import { readEndpointLinks, showEndpointLinks } from './links.ts';

const addressKeys = { v4: 'IPv4Address', v6: 'IPv6Address' } as const;

/**
 * `default`, which the docker CLI sends without `--network`, is the bridge. Empty lists and objects are stored, as inspect
 * shows them.
 */
export function translateEndpointRequest(network: string, settings: EndpointBody): EndpointConfig {
  const given: Record<string, string> = {
    macAddress: settings?.MacAddress ?? '',
  };
  const lists: Record<string, string[]> = {
    links: readEndpointLinks(settings),
    linkLocalAddresses: settings?.IPAMConfig?.LinkLocalIPs ?? [],
  };
  const { IPAMConfig: ipam, Aliases: aliases, DriverOpts: driverOptions } = settings ?? {};
  return {
    network: network === 'default' ? 'bridge' : network,
    ...(ipam ? { addresses: perFamily((family) => ipam[addressKeys[family]] || undefined) } : {}),
    ...(aliases ? { aliases } : {}),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
    ...Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0)),
    ...(driverOptions ? { driverOptions } : {}),
    ...(settings?.GwPriority ? { gatewayPriority: settings.GwPriority } : {}),
  };
}

/** Docker's name for the scope of networks that all hosts have. */
export const scopeOf = ({ cluster }: Pick<NetworkRecord, 'cluster'>): string =>
  cluster === undefined ? 'local' : 'swarm';

type Uses = ReturnType<NetworkService['get']>['uses'];

/** `uses` is set for inspect, and for lists before API 1.28: as in Docker, later lists have no containers. */
export function translateNetwork(record: NetworkRecord, uses: Uses = []): Network {
  const ipam = record.configuration ?? record.ipam;
  const pools = families.flatMap((family) =>
    (ipam[family] ?? [])
      .filter(({ subnet }) => subnet !== '')
      .map((pool) => translatePool(pool, ofFamily(record.cluster, family))),
  );
  return {
    Name: record.name,
    Id: record.id,
    Created: formatTime(record.created),
    Scope: scopeOf(record),
    Driver: record.driver,
    EnableIPv4: ipam.v4 !== undefined,
    EnableIPv6: ipam.v6 !== undefined,
    IPAM: {
      Driver: ipam.driver,
      Options: ipam.options ?? null,
      Config: pools.length === 0 ? null : pools,
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: record.configFrom ?? '' },
    ConfigOnly: record.configuration !== undefined,
    Containers: Object.fromEntries(uses.map(translateUse)),
    Options: record.options,
    Labels: record.labels,
  };
}

/** One entry of a network's `Containers`. */
export function translateUse(use: Uses[number]): [string, NonNullable<Network['Containers']>[string]] {
  return [
    use.containerId,
    {
      Name: use.name,
      EndpointID: use.endpointId,
      MacAddress: use.mac,
      IPv4Address: use.ipv4,
      IPv6Address: use.ipv6,
    },
  ];
}

/** The largest number of Docker's fields (uint64): larger ones are shown as this one. */
const largest = 2n ** 64n - 1n;

/** JSON's numbers have any size, unlike those of JavaScript. */
const exact = (value: bigint): JsonNumber =>
  (JSON as unknown as { rawJSON(text: string): JsonNumber }).rawJSON(String(value > largest ? largest : value));

/** `Status` of inspect, since API 1.52. */
export function translateSubnetUse(subnets: ReturnType<Networks['subnetUse']>): NonNullable<Network['Status']> {
  const entries = subnets.map(({ subnet, inUse, available }) => [
    subnet,
    { IPsInUse: exact(inUse), DynamicIPsAvailable: exact(available) },
  ]);
  return { IPAM: entries.length === 0 ? {} : { Subnets: Object.fromEntries(entries) } };
}

type Stopped = ReturnType<ReturnType<NetworkService['get']>['stopped']>;

/** One entry of `StoppedContainers`, with the addresses that are reserved for it. */
export function translateStopped({ containerId, name, config }: Stopped[number]): [string, StoppedContainer] {
  return [
    containerId,
    {
      Name: name,
      Aliases: config.aliases ?? [],
      MacAddress: config.macAddress ?? '',
      IPv4Address: config.addresses?.v4 ?? '',
      IPv6Address: config.addresses?.v6 ?? '',
    },
  ];
}

/** Of a network of the cluster, the range is this host's part. */
function translatePool(pool: IpamPool, cluster?: { subnet: string }): NonNullable<Network['IPAM']['Config']>[number] {
  const range = cluster === undefined ? pool.range : pool.subnet;
  return {
    Subnet: cluster?.subnet ?? pool.subnet,
    ...(range === undefined ? {} : { IPRange: range }),
    ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
    ...(pool.auxAddresses === undefined ? {} : { AuxiliaryAddresses: pool.auxAddresses }),
  };
}

/** An endpoint in `docker inspect`: its configuration and, while the container runs, its state. */
export function translateEndpoint(
  config: EndpointConfig,
  state: EndpointState | undefined,
  networkId: string,
): EndpointSettings {
  const { addresses, linkLocalAddresses = [] } = config;
  const { v4, v6 } = addresses ?? {};
  const own = state?.addresses ?? {};
  const ipam = {
    ...(v4 === undefined ? {} : { IPv4Address: v4 }),
    ...(v6 === undefined ? {} : { IPv6Address: v6 }),
    ...(linkLocalAddresses.length > 0 ? { LinkLocalIPs: linkLocalAddresses } : {}),
  };
  return {
    IPAMConfig: addresses !== undefined || linkLocalAddresses.length > 0 ? ipam : null,
    ...showEndpointLinks(config.links),
    Aliases: config.aliases ?? null,
    MacAddress: state?.mac ?? '',
    DriverOpts: config.driverOptions ?? null,
    GwPriority: config.gatewayPriority ?? 0,
    NetworkID: state?.networkId ?? networkId,
    EndpointID: state?.id ?? '',
    Gateway: own.v4?.gateway ?? '',
    IPAddress: own.v4?.address ?? '',
    IPPrefixLen: own.v4?.prefixLength ?? 0,
    IPv6Gateway: own.v6?.gateway ?? '',
    GlobalIPv6Address: own.v6?.address ?? '',
    GlobalIPv6PrefixLen: own.v6?.prefixLength ?? 0,
    DNSNames: state && state.dnsNames.length > 0 ? state.dnsNames : null,
  };
}
