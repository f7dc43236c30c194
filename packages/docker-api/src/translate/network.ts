/** Translates networks and endpoints between Docker's JSON and the network package's values. Pure. */
import type { EndpointSettings, Network } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { NetworkService } from '@netyard/engine';
import type { CreateNetworkRequest, EndpointConfig, EndpointState, IpamPool, NetworkRecord } from '@netyard/network';
import type { EndpointBody, NetworkCreateBody } from '../schemas/bodies.ts';
import { readEndpointLinks, showEndpointLinks } from './links.ts';

/** `default`, which the docker CLI sends without `--network`, is the bridge. */
export function translateEndpointRequest(network: string, settings: EndpointBody): EndpointConfig {
  const given: Record<string, string> = {
    ipv4Address: settings?.IPAMConfig?.IPv4Address ?? '',
    ipv6Address: settings?.IPAMConfig?.IPv6Address ?? '',
    macAddress: settings?.MacAddress ?? '',
  };
  const lists: Record<string, string[]> = {
    aliases: settings?.Aliases ?? [],
    links: readEndpointLinks(settings),
    linkLocalAddresses: settings?.IPAMConfig?.LinkLocalIPs ?? [],
  };
  const driverOptions = settings?.DriverOpts ?? {};
  return {
    network: network === 'default' ? 'bridge' : network,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
    ...Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0)),
    ...(Object.keys(driverOptions).length > 0 ? { driverOptions } : {}),
    ...(settings?.GwPriority ? { gatewayPriority: settings.GwPriority } : {}),
  };
}

export function translateNetworkCreate(body: NetworkCreateBody): CreateNetworkRequest {
  return {
    name: body.Name,
    driver: body.Driver === '' ? 'bridge' : body.Driver,
    ipam: { driver: body.IPAM?.Driver || 'default', pools: (body.IPAM?.Config ?? []).map(translatePoolRequest) },
    internal: body.Internal,
    attachable: body.Attachable,
    enableIpv6: body.EnableIPv6 ?? false,
    options: body.Options,
    labels: body.Labels,
  };
}

type PoolRequest = NonNullable<NetworkCreateBody['IPAM']>['Config'][number];

function translatePoolRequest(pool: PoolRequest): IpamPool {
  return {
    subnet: pool.Subnet,
    ...(pool.Gateway === '' ? {} : { gateway: pool.Gateway }),
    ...(pool.IPRange === '' ? {} : { range: pool.IPRange }),
    ...(Object.keys(pool.AuxiliaryAddresses).length === 0 ? {} : { auxAddresses: pool.AuxiliaryAddresses }),
  };
}

type Uses = ReturnType<NetworkService['get']>['uses'];

/** `uses` is set for inspect only: as in Docker, lists have no containers. */
export function translateNetwork(record: NetworkRecord, uses: Uses = []): Network {
  return {
    Name: record.name,
    Id: record.id,
    Created: formatTime(record.created),
    Scope: 'local',
    Driver: record.driver,
    EnableIPv4: true,
    EnableIPv6: record.enableIpv6,
    IPAM: {
      Driver: record.ipam.driver,
      Options: null,
      Config: record.ipam.pools.length === 0 ? null : record.ipam.pools.map(translatePool),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
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

function translatePool(pool: IpamPool): NonNullable<Network['IPAM']['Config']>[number] {
  return {
    Subnet: pool.subnet,
    ...(pool.range === undefined ? {} : { IPRange: pool.range }),
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
  const asked = { IPv4Address: config.ipv4Address ?? '', IPv6Address: config.ipv6Address ?? '' };
  const { linkLocalAddresses = [] } = config;
  const ipam = {
    ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== '')),
    ...(linkLocalAddresses.length > 0 ? { LinkLocalIPs: linkLocalAddresses } : {}),
  };
  const list = (values: string[] | undefined): string[] | null => (values && values.length > 0 ? values : null);
  return {
    IPAMConfig: Object.keys(ipam).length > 0 ? ipam : null,
    ...showEndpointLinks(config.links),
    Aliases: list(config.aliases),
    MacAddress: state?.mac ?? '',
    DriverOpts: config.driverOptions ?? null,
    GwPriority: config.gatewayPriority ?? 0,
    NetworkID: state?.networkId ?? networkId,
    EndpointID: state?.id ?? '',
    Gateway: state?.ipv4Gateway ?? '',
    IPAddress: state?.ipv4Address ?? '',
    IPPrefixLen: state?.ipv4PrefixLength ?? 0,
    IPv6Gateway: state?.ipv6Gateway ?? '',
    GlobalIPv6Address: state?.ipv6Address ?? '',
    GlobalIPv6PrefixLen: state?.ipv6PrefixLength ?? 0,
    DNSNames: list(state?.dnsNames),
  };
}
