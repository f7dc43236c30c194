/** The address families that a new network has. Docker's rules and message. Pure. */
import { NetyardError, parseGoBoolean } from '@netyard/core';
import type { CreateNetworkRequest } from '../contract.ts';
import { type Family, families } from '../family.ts';

/** IPv4 by default. The field of the request takes precedence over the driver option. Throws `invalid` for a bad option. */
export function enabledFamilies({ enable, ipam, options = {} }: CreateNetworkRequest): Record<Family, boolean> {
  if (enable === undefined && ipam !== undefined) return { v4: ipam.v4 !== undefined, v6: ipam.v6 !== undefined };
  return {
    v4: enable?.v4 ?? booleanOption(options, 'com.docker.network.enable_ipv4') ?? true,
    v6: enable?.v6 ?? booleanOption(options, 'com.docker.network.enable_ipv6') ?? false,
  };
}

/** A warning for each subnet of a family that the network does not have, which has no effect. Throws like `enabledFamilies`. */
export function warnOfUnusedSubnets(request: CreateNetworkRequest): string[] {
  const enabled = enabledFamilies(request);
  return families.flatMap((family) => {
    const name = family === 'v4' ? 'IPv4' : 'IPv6';
    const subnets = enabled[family] ? [] : (request.ipam?.[family] ?? []).map(({ subnet }) => subnet);
    return subnets
      .filter((subnet) => subnet !== '')
      .map((subnet) => `${name} is not enabled: subnet ${subnet} is not used`);
  });
}

function booleanOption(options: Readonly<Record<string, string>>, key: string): boolean | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const parsed = parseGoBoolean(value);
  if (parsed !== undefined) return parsed;
  throw new NetyardError('invalid', `driver-opt "${key}" is not a valid bool`);
}
