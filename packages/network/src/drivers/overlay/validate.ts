/**
 * Checks the request for a network of the cluster. Options of Docker's overlay driver that have no effect here, and those of
 * its bridge driver, are rejected; unknown ones are stored and ignored, as in Docker. Pure.
 */
import { NetyardError, parseGoBoolean } from '@netyard/core';
import { valuesOf } from '../../family.ts';
import { advertisementOptions } from '../advertisement.ts';
import { optionPrefix, spoofingOption } from '../bridge/options.ts';
import { validateBridge } from '../bridge/validate.ts';
import type { NetworkSpec } from '../driver.ts';

/** Prefix length of each host's part of the subnet. */
export const partSizeOption = 'netyard.subnet-size';

export function validateOverlay({ ipam, internal, options }: NetworkSpec): NetyardError[] {
  const common = [`${optionPrefix}driver.mtu`, spoofingOption, ...advertisementOptions].filter(
    (key) => options[key] !== undefined,
  );
  const asBridge = validateBridge({
    ...{ ipam: { driver: 'default', v4: [] }, internal },
    options: Object.fromEntries(common.map((key) => [key, options[key] ?? ''])),
  });
  return [...asBridge, ...Object.entries(options).flatMap(([key, value]) => reject(key, value)), ...checkSubnets(ipam)];
}

function reject(key: string, value: string): NetyardError[] {
  const notYet = (hint: string): NetyardError[] => [
    new NetyardError('not-implemented', `option ${key} of overlay networks is not implemented yet`, { hint }),
  ];
  if (key === 'encrypted')
    return value !== '' && parseGoBoolean(value) === false
      ? []
      : notYet('use WireGuard or IPsec between the hosts where the networks between them are not trusted');
  if (key === `${optionPrefix}driver.overlay.vxlanid_list`) return notYet('all networks share the tunnel to each host');
  if (key.startsWith(`${optionPrefix}bridge.`) || key === `${optionPrefix}host_ipv4`)
    return [new NetyardError('invalid', `option ${key} is for bridge networks, not for overlay networks`)];
  if (key === partSizeOption && !/^\d{1,2}$/.test(value))
    return [new NetyardError('invalid', `failed to parse ${key} value: ${value} (not a prefix length)`)];
  return [];
}

/** Of the one subnet per family, each host has a part with a gateway of its own. */
function checkSubnets(ipam: NetworkSpec['ipam']): NetyardError[] {
  const notYet = (what: string): NetyardError[] => [
    new NetyardError('not-implemented', `${what} of overlay networks are not implemented yet`),
  ];
  if (ipam.v4 === undefined)
    return [new NetyardError('not-implemented', 'overlay networks without IPv4 are not implemented yet')];
  if (valuesOf(ipam).some(({ length }) => length > 1)) return notYet('several subnets per family');
  const pools = valuesOf(ipam).flat();
  return [
    ...(pools.every(({ gateway }) => gateway === undefined) ? [] : notYet('requested gateways')),
    ...(pools.every(({ range }) => range === undefined) ? [] : notYet('address ranges')),
    ...(pools.every(({ auxAddresses }) => auxAddresses === undefined) ? [] : notYet('auxiliary addresses')),
  ];
}
