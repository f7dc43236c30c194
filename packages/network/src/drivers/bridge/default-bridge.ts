/** The default bridge, as the daemon's options describe it: its driver options and its subnet of each family. Pure. */
import {
  formatIp,
  formatPrefix,
  lastOf,
  messageOf,
  NetyardError,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
  tryParsePrefix,
} from '@netyard/core';
import type { DefaultBridgeIpv6, IpamPool, NetworkSettings } from '../../contract.ts';
import type { Family } from '../../family.ts';
import { completePool } from '../../ipam/complete-pool.ts';
import { optionPrefix } from './options.ts';
import { checkIpv6Subnet } from './validate.ts';

/** As `docker network inspect bridge` shows them. */
export function defaultBridgeOptions(settings: NetworkSettings, mtu: number): Record<string, string> {
  return {
    [`${optionPrefix}bridge.default_bridge`]: 'true',
    [`${optionPrefix}bridge.enable_icc`]: String(settings.icc),
    [`${optionPrefix}bridge.enable_ip_masquerade`]: String(settings.ipMasquerade),
    [`${optionPrefix}bridge.host_binding_ipv4`]: settings.defaultHostAddress || '0.0.0.0',
    [`${optionPrefix}bridge.name`]: settings.bridgeName,
    [`${optionPrefix}driver.mtu`]: String(mtu),
  };
}

const invalid = (message: string, cause?: unknown): NetyardError =>
  new NetyardError('invalid', message, cause === undefined ? {} : { cause });

/** `--bip`, `--fixed-cidr` and `--default-gateway`. Throws `invalid` with Docker's message. */
export function planBridgePool(
  settings: Pick<NetworkSettings, 'bip' | 'fixedCidr' | 'defaultGateway'>,
): IpamPool & { gateway: string } {
  const { fixedCidr, defaultGateway } = settings;
  const { subnet, gateway } = parseBip('v4', settings.bip);
  return { gateway, ...withGateway('v4', { subnet, gateway, ...rangeIn('v4', subnet, fixedCidr) }, defaultGateway) };
}

/**
 * `--bip6`, `--fixed-cidr-v6` and `--default-gateway-v6`. Without the first two any free subnet will do. Throws `invalid`
 * with Docker's message.
 */
export function planBridgePool6(ipv6: DefaultBridgeIpv6, automatic: () => string): IpamPool {
  const { bip, fixedCidr, defaultGateway } = ipv6;
  const range = fixedCidr === undefined ? undefined : parseFixedCidr6(fixedCidr);
  const own = bip === undefined ? undefined : parseBip('v6', bip);
  const subnet = own?.subnet ?? range ?? automatic();
  const ranged = own && range !== undefined ? rangeIn('v6', subnet, range) : {};
  const { gateway } = own ?? completePool({ subnet });
  return withGateway('v6', { subnet, ...(gateway === undefined ? {} : { gateway }), ...ranged }, defaultGateway);
}

const names = {
  v4: { bip: 'bip', fixedCidr: 'fixed-cidr', longest: 30 },
  v6: { bip: 'bip6', fixedCidr: 'fixed-cidr-v6', longest: 126 },
};

/** A host address within its subnet, which has room for containers. */
function parseBip(family: Family, text: string): { subnet: string; gateway: string } {
  const { bip: option, longest } = names[family];
  let bip: Prefix;
  try {
    bip = parsePrefix(text);
  } catch (cause) {
    throw invalid(`parse ${option} failed: invalid CIDR address: ${text}`, cause);
  }
  const subnet = networkOf(bip);
  const reject = (why: string): never => {
    throw invalid(`invalid ${option} ${text}: ${why}`);
  };
  if (bip.family !== (family === 'v4' ? 4 : 6)) reject(`not an IP${family} address`);
  if (bip.length > longest) reject(`no room for containers; give a prefix of ${longest} bits or less`);
  // IPv6 has no broadcast address; the first one is that of all routers (RFC 4291, 2.6.1).
  if (bip.value === subnet.value || (family === 'v4' && bip.value === lastOf(subnet).value))
    reject('not the address of a host in its subnet');
  const [problem] = family === 'v6' ? checkIpv6Subnet(text) : [];
  if (problem) reject(problem.message);
  return { subnet: formatPrefix(subnet), gateway: formatIp(bip) };
}

function parseFixedCidr6(text: string): string {
  const [problem] =
    tryParsePrefix(text)?.family === 6 ? checkIpv6Subnet(text) : [invalid(`'${text}' is not a valid IPv6 subnet`)];
  if (problem) throw invalid(`invalid fixed-cidr-v6: ${messageOf(problem)}`);
  const subnet = networkOf(parsePrefix(text));
  if (subnet.length > names.v6.longest)
    throw invalid(`invalid fixed-cidr-v6: no room for containers; give a prefix of ${names.v6.longest} bits or less`);
  return formatPrefix(subnet);
}

/** The part of the subnet from which addresses are allocated. */
function rangeIn(family: Family, subnet: string, text: string | undefined): { range?: string } {
  if (text === undefined) return {};
  const parent = parsePrefix(subnet);
  const range = networkOf(parsePrefix(text));
  if (range.length < parent.length || !prefixContains(parent, range))
    throw invalid(`--${names[family].fixedCidr} ${text} is not part of the default bridge's subnet ${subnet}`);
  return { range: formatPrefix(range) };
}

/** The gateway of the containers, if it is not the bridge. */
function withGateway(family: Family, pool: IpamPool, gateway: string | undefined): IpamPool {
  if (gateway === undefined) return pool;
  const ip = parseIp(gateway);
  if (!prefixContains(parsePrefix(pool.subnet), ip)) throw invalid('default gateway ip must be part of the network');
  return completePool({ ...pool, auxAddresses: { [`DefaultGatewayIP${family}`]: formatIp(ip) } });
}
