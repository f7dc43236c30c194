/**
 * The option `netyard.host_access`: a macvlan interface of the host on the parent of a network, with an address of the
 * network, and a route to each endpoint. Without it the kernel passes no packets between the host and the endpoints, since
 * frames of the parent do not reach the macvlan interfaces on it. Pure.
 */
import {
  formatIp,
  ipToBytes,
  lastOf,
  macFromIpv4,
  NetyardError,
  parseIp,
  parsePrefix,
  prefixContains,
  shortId,
  tryParseIp,
} from '@netyard/core';
import type { KernelObject, MacvlanObject, RouteObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { type Family, families, familyOfAddress, valuesOf } from '../../family.ts';
import type { HostFacts } from '../../model.ts';
import { ownerText, sysctlLink } from '../../object-names.ts';
import type { EndpointPlanInput, HostLink, NetworkSpec } from '../driver.ts';
import type { MacvlanSettings } from './options.ts';

export const hostAccessOption = 'netyard.host_access';

/** One address per family, separated by a comma; invalid ones as given. Undefined without the option. */
const addressesOf = ({ options }: Pick<NetworkRecord, 'options'>): string[] | undefined =>
  options[hostAccessOption]?.split(',').map((text) => {
    const address = tryParseIp(text);
    return address === undefined ? text : formatIp(address);
  });

/** Name of the interface: 15 characters, the longest possible. */
const hostAccessLink = (networkId: string): string => `mh-${shortId(networkId)}`;

interface HostAccess {
  hostLink: HostLink;
  plan(facts: HostFacts): KernelObject[];
  planRoutes(endpoint: EndpointPlanInput): RouteObject[];
}

export function hostAccess(record: NetworkRecord, { parent, mode, mtu }: MacvlanSettings): HostAccess | undefined {
  const addresses = addressesOf(record);
  if (addresses === undefined) return undefined;
  const name = hostAccessLink(record.id);
  const owner = ownerText(`network ${record.name}`, ` (${shortId(record.id)}), host access`);
  const prefixes = addresses.map(hostPrefix);
  const mac = macOf(addresses, record.id);
  const macvlan: MacvlanObject = {
    ...{ kind: 'macvlan', name, parent, mode, mac, owner, up: true },
    ...(mtu === undefined ? {} : { mtu }),
  };
  return {
    hostLink: { link: name, addresses: prefixes },
    plan: (facts) => [
      macvlan,
      ...planSettings(name, addresses, facts),
      ...prefixes.map((prefix) => ({ kind: 'address', link: name, prefix }) as const),
    ],
    planRoutes: ({ endpoint }) =>
      families.flatMap((family): RouteObject[] => {
        const to = endpoint.addresses[family]?.address;
        const source = addresses.find((address) => familyOfAddress(address) === family);
        if (to === undefined || source === undefined) return [];
        return [
          { kind: 'route', to: hostPrefix(to), link: name, source, ...(family === 'v4' ? { scope: 'link' } : {}) },
        ];
      }),
  };
}

const hostPrefix = (address: string): string => `${address}/${familyOfAddress(address) === 'v4' ? 32 : 128}`;

/** The same after a repair, so that neighbours need not ask again. */
function macOf(addresses: readonly string[], networkId: string): string {
  const v4 = addresses.find((address) => familyOfAddress(address) === 'v4');
  return macFromIpv4(v4 === undefined ? Buffer.from(networkId.slice(0, 8), 'hex') : ipToBytes(parseIp(v4)));
}

/**
 * arp_filter: the interface answers only endpoints, not other hosts of the segment, which find the host's addresses at the
 * parent. arp_announce: it asks with its own address, so that other hosts do not learn its MAC for the parent's address.
 */
function planSettings(link: string, addresses: readonly string[], facts: HostFacts): KernelObject[] {
  const has = (family: Family): boolean => addresses.some((address) => familyOfAddress(address) === family);
  const name = sysctlLink(link);
  const ipv6 = has('v6') ? { accept_ra: '0', disable_ipv6: '0' } : { disable_ipv6: '1' };
  const settings = {
    ...(has('v4') ? { [`ipv4.conf.${name}.arp_filter`]: '1', [`ipv4.conf.${name}.arp_announce`]: '2' } : {}),
    ...(facts.ipv6 ? prefixed(`ipv6.conf.${name}.`, ipv6) : {}),
  };
  return Object.entries(settings).map(([key, value]) => ({ kind: 'sysctl', key: `net.${key}`, value }));
}

const prefixed = (prefix: string, settings: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${prefix}${key}`, value]));

/** Reserved like the addresses of `--aux-address`, and shown like them. */
export const hostAccessAddresses = (network: NetworkSpec): Record<string, string> =>
  Object.fromEntries(
    (addressesOf(network) ?? []).map((address) => [
      `${hostAccessOption}${familyOfAddress(address) === 'v4' ? '' : '6'}`,
      address,
    ]),
  );

export function validateHostAccess(network: NetworkSpec, mode: string): NetyardError[] {
  const addresses = addressesOf(network);
  if (addresses === undefined) return [];
  const value = network.options[hostAccessOption];
  if (mode !== 'bridge') {
    const message = `option ${hostAccessOption} needs macvlan_mode=bridge: in mode ${mode} the host reaches no container`;
    return [new NetyardError('invalid', message)];
  }
  const problems = addresses.flatMap((address) => findAddressProblem(address, network) ?? []);
  if (new Set(addresses.map(familyOfAddress)).size < addresses.length)
    problems.push('more than one address of a family');
  return problems.map(
    (reason) =>
      new NetyardError('invalid', `failed to parse ${hostAccessOption} value: ${value} (${reason})`, {
        hint: 'give a free address of a --subnet of the network that no other host uses',
      }),
  );
}

function findAddressProblem(text: string, { ipam }: NetworkSpec): string | undefined {
  const address = tryParseIp(text);
  if (address === undefined) return `invalid IP address ${JSON.stringify(text)}`;
  const subnets = valuesOf(ipam)
    .flat()
    .flatMap(({ subnet }) => (subnet === '' ? [] : [parsePrefix(subnet)]));
  const subnet = subnets.find((one) => one.family === address.family && prefixContains(one, address));
  if (subnet === undefined) return `no configured subnet contains ${text}`;
  const isHost = address.value !== subnet.value && (address.family === 6 || address.value !== lastOf(subnet).value);
  return isHost ? undefined : `${text} is not the address of a host`;
}
