/**
 * Checks the options of a bridge network with Docker's messages (moby daemon/libnetwork/drivers/bridge). Options that
 * Docker knows and that have no effect here yet are rejected; those that Docker does not know are stored and ignored, as
 * there. Pure.
 */
import {
  addToIp,
  formatIp,
  type Ip,
  NetyardError,
  networkOf,
  parseGoBoolean,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  tryParseIp,
} from '@netyard/core';
import type { IpamPool } from '../../contract.ts';
import { families, valuesOf } from '../../family.ts';
import { validateAdvertisement } from '../advertisement.ts';
import type { NetworkSpec } from '../driver.ts';
import { validateMtu } from '../parent-options.ts';
import { ndpProxyOption, optionPrefix, peersOption, routerOf, spoofingOption } from './options.ts';

const gatewayModes = ['nat', 'nat-unprotected', 'routed', 'isolated'];

/** The reason why a value is invalid, in the words of Go's parsers; undefined for a valid one. */
type Check = (value: string) => string | undefined;

const checkBoolean: Check = (value) =>
  parseGoBoolean(value) === undefined
    ? `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`
    : undefined;

const checkInteger: Check = (value) =>
  /^[+-]?\d+$/.test(value) ? undefined : `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`;

const checkAddress: Check = (value) => (isAddress(value) ? undefined : 'nil ip');

const checkSpoofing: Check = (value) => (['allow', 'deny'].includes(value) ? undefined : 'neither "allow" nor "deny"');

const checkPeers: Check = (value) => (['accept', 'drop'].includes(value) ? undefined : 'neither "accept" nor "drop"');

/** A name for an interface and for the keys of its sysctls, below which `all` and `default` stand for others. */
const checkBridgeName: Check = (value) =>
  value === '' || (/^[\w.@-]{1,15}$/.test(value) && !['.', '..', 'all', 'default'].includes(value))
    ? undefined
    : 'invalid interface name';

/** Interface names, as the kernel accepts them (dev_valid_name of net/core/dev.c). */
const checkInterfaces: Check = (value) => {
  const invalid = value.split(':').find((name) => !/^[^\s/:"]{1,15}$/.test(name) || /^\.{1,2}$/.test(name));
  return value === '' || invalid === undefined ? undefined : `invalid interface name ${JSON.stringify(invalid)}`;
};

/** Interfaces of containers are named by it and a number. */
const checkPrefix: Check = (value) => (/^(?!\.)[^\s/:%"]{0,14}$/.test(value) ? undefined : 'invalid interface name');

/** As `checkInterfaces`, for one interface, whose name is part of the keys of its sysctls. */
const checkInterface: Check = (value) =>
  /^(?!\.{1,2}$)(?!all$|default$)[^\s/:"]{1,15}$/.test(value) ? undefined : 'invalid interface name';

const checkGatewayMode: Check = (value) => (gatewayModes.includes(value) ? undefined : `unknown gateway mode ${value}`);

const checks: Readonly<Record<string, Check>> = {
  [`${optionPrefix}bridge.enable_icc`]: checkBoolean,
  [`${optionPrefix}bridge.enable_ip_masquerade`]: checkBoolean,
  [`${optionPrefix}bridge.inhibit_ipv4`]: checkBoolean,
  [`${optionPrefix}bridge.default_bridge`]: checkBoolean,
  [`${optionPrefix}bridge.name`]: checkBridgeName,
  [`${optionPrefix}bridge.host_binding_ipv4`]: checkAddress,
  [`${optionPrefix}bridge.gateway_mode_ipv4`]: checkGatewayMode,
  [`${optionPrefix}bridge.gateway_mode_ipv6`]: checkGatewayMode,
  [`${optionPrefix}bridge.trusted_host_interfaces`]: checkInterfaces,
  [`${optionPrefix}driver.mtu`]: checkInteger,
  [`${optionPrefix}container_iface_prefix`]: checkPrefix,
  [`${optionPrefix}host_ipv4`]: checkAddress,
  [`${optionPrefix}host_ipv6`]: (value) =>
    checkAddress(value) ?? (familyOf(value) === 6 ? undefined : 'not an IPv6 address'),
  [spoofingOption]: checkSpoofing,
  [ndpProxyOption]: checkInterface,
  [peersOption]: checkPeers,
};

export function validateBridge({ ipam, internal, options }: NetworkSpec): NetyardError[] {
  const errors = Object.entries(options).flatMap(([key, value]) => {
    const reason = Object.hasOwn(checks, key) ? checks[key]?.(value) : undefined; // `toString` is an unknown option
    return reason === undefined
      ? rejectUnsupported(key, value)
      : [new NetyardError('invalid', `failed to parse ${key} value: ${value} (${reason})`)];
  });
  const modes = families.map((family) => options[`${optionPrefix}bridge.gateway_mode_ip${family}`]);
  if (modes.includes('isolated') && !internal)
    errors.push(new NetyardError('failed', "gateway mode 'isolated' can only be used for an internal network"));
  const uplink = options[ndpProxyOption];
  if (uplink !== undefined && (ipam.v6 === undefined || internal)) {
    const reason = ipam.v6 === undefined ? 'has no IPv6' : 'is internal';
    errors.push(
      new NetyardError('invalid', `failed to parse ${ndpProxyOption} value: ${uplink} (the network ${reason})`),
    );
  }
  const mtu = Number(options[`${optionPrefix}driver.mtu`] ?? 0);
  if (Number.isInteger(mtu)) errors.push(...validateMtu(mtu, { ipam }));
  errors.push(...validateAdvertisement(options), ...(ipam.v6 ?? []).flatMap(checkIpv6Pool));
  if (valuesOf(ipam).length === 0) errors.push(new NetyardError('invalid', 'IPv4 or IPv6 must be enabled'));
  if (valuesOf(ipam).some((pools) => pools.length > 1))
    errors.push(new NetyardError('forbidden', "bridge driver doesn't support multiple subnets"));
  if (internal && options[peersOption] === 'accept')
    errors.push(new NetyardError('invalid', `option ${peersOption}=accept has no effect on an internal network`));
  if (internal && families.some((family) => routerOf({ ipam }, family) !== undefined))
    errors.push(new NetyardError('invalid', 'no gateway can be set on an internal bridge network'));
  return errors;
}

const linkLocal = parsePrefix('fe80::/64');
const multicast = parsePrefix('ff00::/8');

/** @param shown the text of messages */
export function checkIpv6Subnet(text: string, shown = text): NetyardError[] {
  const subnet = networkOf(parsePrefix(text));
  if (prefixContains(multicast, subnet))
    return [new NetyardError('invalid', `multicast subnet '${shown}' is not allowed`)];
  const isSame = subnet.value === linkLocal.value && subnet.length === linkLocal.length;
  return prefixesOverlap(subnet, linkLocal) && !isSame && subnet.length > 0
    ? [new NetyardError('invalid', `'${shown}' clashes with the Link-Local prefix 'fe80::/64'`)]
    : [];
}

/** Docker's messages name the gateway's address, by default the first one. */
function checkIpv6Pool({ subnet: text, gateway }: IpamPool): NetyardError[] {
  if (text === '') return [];
  const subnet = networkOf(parsePrefix(text));
  return checkIpv6Subnet(text, `${gateway ?? formatIp(addToIp(subnet, 1n))}/${subnet.length}`);
}

const isAddress = (text: string): boolean => familyOf(text) !== undefined;

const familyOf = (text: string): Ip['family'] | undefined => tryParseIp(text)?.family;

/** Options of Docker whose value has no effect here yet. */
const unsupported: Readonly<Record<string, (value: string) => boolean>> = {
  [`${optionPrefix}host_ipv4`]: (value) => familyOf(value) === 6,
};

const rejectUnsupported = (key: string, value: string): NetyardError[] =>
  Object.hasOwn(unsupported, key) && unsupported[key]?.(value)
    ? [new NetyardError('not-implemented', `option ${key} with value ${value} is not implemented yet`)]
    : [];
