/**
 * IPv6 settings, addresses and default routes of an endpoint, on its interface in the namespace: the same for all drivers.
 * Pure.
 */
import { formatIp, lastOf, networkOf, parsePrefix } from '@netyard/core';
import type { AddressObject, KernelObject, SysctlObject } from '@netyard/kernel';
import type { EndpointAddress } from '../contract.ts';
import { endpointSysctls } from '../endpoint-options.ts';
import { families, valuesOf } from '../family.ts';
import { sysctlLink } from '../object-names.ts';
import type { EndpointPlanInput } from './driver.ts';

type Input = Pick<EndpointPlanInput, 'netnsPath' | 'endpoint'>;

interface InterfaceOptions {
  /** Router advertisements of the segment add addresses and a default route. Default: the IPv6 settings are static. */
  acceptsAdvertisements?: boolean;
  /** Of the interface, where it is known. */
  mtu?: number | undefined;
}

/** RFC 8200, section 5. Linux gives an interface with a smaller MTU no IPv6, and no settings of it (net/ipv6/addrconf.c). */
export const smallestIpv6Mtu = 1280;

export const carriesIpv6 = (mtu: number | undefined): boolean => mtu === undefined || mtu >= smallestIpv6Mtu;

/** IPv6 is enabled exactly on interfaces with an IPv6 address. */
function planIpv6Settings(
  { endpoint, netnsPath: ns, facts }: EndpointPlanInput,
  { acceptsAdvertisements = false, mtu }: InterfaceOptions,
): SysctlObject[] {
  if (!facts.ipv6 || !carriesIpv6(mtu)) return [];
  const enabled = { accept_ra: acceptsAdvertisements ? '1' : '0', disable_ipv6: '0' };
  const settings = endpoint.addresses.v6 ? enabled : { disable_ipv6: '1' };
  return Object.entries(settings).map(([name, value]) => {
    const key = `net.ipv6.conf.${sysctlLink(endpoint.link)}.${name}`;
    return { kind: 'sysctl', ns, key, value };
  });
}

/**
 * The settings of the interface: `com.docker.network.endpoint.sysctls` takes precedence over those of IPv6. Each is set
 * before the interface has an address.
 */
export function planInterfaceSettings(input: EndpointPlanInput, options: InterfaceOptions = {}): KernelObject[] {
  const { endpoint, netnsPath: ns } = input;
  const requested = endpointSysctls(endpoint.config).map(({ key, value }): SysctlObject => {
    const name = key.replace(/^(net\.\w+\.\w+)\.ifname\./i, (_, prefix) => `${prefix}.${sysctlLink(endpoint.link)}.`);
    return { kind: 'sysctl', ns, key: name, value };
  });
  const keys = new Set(requested.map(({ key }) => key));
  return [...planIpv6Settings(input, options).filter(({ key }) => !keys.has(key)), ...requested];
}

/** Its address of each family, and those of `--link-local-ip`. */
export function planAddresses({ endpoint, netnsPath: ns }: Input): AddressObject[] {
  const { link, addresses, config } = endpoint;
  const own = valuesOf(addresses).map(({ address, prefixLength }) => `${address}/${prefixLength}`);
  const linkLocal = (config.linkLocalAddresses ?? []).map((address) => `${address}/${address.includes(':') ? 64 : 16}`);
  return [...own, ...linkLocal].map((prefix) => ({ kind: 'address', ns, link, prefix, ...broadcastIn(prefix) }));
}

/** IPv6 has none. */
const broadcastIn = (prefix: string): Pick<AddressObject, 'broadcast'> =>
  prefix.includes(':') ? {} : { broadcast: broadcastOf(prefix) };

const broadcastOf = (prefix: string): string => formatIp(lastOf(networkOf(parsePrefix(prefix))));

/** Whether packets to other networks leave by the endpoint that has this address. */
export const hasDefaultRoute = (address: EndpointAddress | undefined): boolean =>
  address?.gateway !== undefined || address?.onLink === true;

/** Of the families for which the endpoint is the gateway: through its gateway, or to the interface itself. */
export function planDefaultRoutes({ netnsPath: ns, endpoint, isGateway }: EndpointPlanInput): KernelObject[] {
  const { link, addresses } = endpoint;
  return families.flatMap((family): KernelObject[] => {
    if (!hasDefaultRoute(addresses[family]) || !isGateway[family]) return [];
    const via = addresses[family]?.gateway;
    const hop = via === undefined ? ({ scope: 'link' } as const) : { via };
    return [{ kind: 'route', ns, to: 'default', family: family === 'v4' ? 4 : 6, ...hop, link }];
  });
}
