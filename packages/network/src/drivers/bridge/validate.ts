/**
 * Checks the options of a bridge network with Docker's messages (moby daemon/libnetwork/drivers/bridge). Options that
 * Docker does not know are stored and ignored, as there. Pure.
 */
import { NetyardError, parseIp } from '@netyard/core';
import { valuesOf } from '../../family.ts';
import type { NetworkSpec } from '../driver.ts';
import { optionPrefix, parseBoolean } from './options.ts';

const gatewayModes = ['nat', 'nat-unprotected', 'routed', 'isolated'];

/** The reason why a value is invalid, in the words of Go's parsers; undefined for a valid one. */
type Check = (value: string) => string | undefined;

const checkBoolean: Check = (value) =>
  parseBoolean(value) === undefined ? `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax` : undefined;

const checkInteger: Check = (value) =>
  /^[+-]?\d+$/.test(value) ? undefined : `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`;

const checkAddress: Check = (value) => (isAddress(value) ? undefined : 'nil ip');

const checkGatewayMode: Check = (value) => (gatewayModes.includes(value) ? undefined : `unknown gateway mode ${value}`);

const checks: Readonly<Record<string, Check>> = {
  'bridge.enable_icc': checkBoolean,
  'bridge.enable_ip_masquerade': checkBoolean,
  'bridge.inhibit_ipv4': checkBoolean,
  'bridge.default_bridge': checkBoolean,
  'bridge.host_binding_ipv4': checkAddress,
  'bridge.gateway_mode_ipv4': checkGatewayMode,
  'bridge.gateway_mode_ipv6': checkGatewayMode,
  'driver.mtu': checkInteger,
};

export function validateBridge({ ipam, options }: NetworkSpec): NetyardError[] {
  const errors = Object.entries(options).flatMap(([key, value]) => {
    const reason = key.startsWith(optionPrefix) ? checks[key.slice(optionPrefix.length)]?.(value) : undefined;
    return reason === undefined
      ? []
      : [new NetyardError('invalid', `failed to parse ${key} value: ${value} (${reason})`)];
  });
  const mtu = Number(options[`${optionPrefix}driver.mtu`] ?? 0);
  if (mtu < 0) errors.push(new NetyardError('invalid', `invalid MTU number: ${mtu}`));
  if (valuesOf(ipam).length === 0) errors.push(new NetyardError('invalid', 'IPv4 or IPv6 must be enabled'));
  if (valuesOf(ipam).some((pools) => pools.length > 1))
    errors.push(new NetyardError('forbidden', "bridge driver doesn't support multiple subnets"));
  return errors;
}

function isAddress(text: string): boolean {
  try {
    parseIp(text);
    return true;
  } catch {
    return false;
  }
}
