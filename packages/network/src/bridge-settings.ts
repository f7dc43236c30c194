/** Parses a bridge network's record, with Docker's driver options, into typed settings for the plans. Pure. */
import { formatIp, formatPrefix, lastOf, NetyardError, networkOf, parsePrefix } from '@netyard/core';
import type { NetworkRecord, NetworkSettings } from './contract.ts';

export interface BridgeSettings {
  networkId: string;
  networkName: string;
  /** Name of the bridge interface on the host. */
  link: string;
  /** `172.17.0.0/16` */
  subnet: string;
  prefixLength: number;
  gateway: string;
  broadcast: string;
  icc: boolean;
  masquerade: boolean;
  mtu: number;
  hostBinding: string;
  ipv6: boolean;
}

const optionPrefix = 'com.docker.network.';

export function bridgeSettings(record: NetworkRecord): BridgeSettings {
  const pool = record.ipam.pools[0];
  if (record.driver !== 'bridge' || pool?.gateway === undefined)
    throw new NetyardError('internal', `network ${record.name} is no bridge network with a subnet`);
  const subnet = networkOf(parsePrefix(pool.subnet));
  const option = (name: string): string | undefined => record.options[optionPrefix + name];
  return {
    networkId: record.id,
    networkName: record.name,
    link: option('bridge.name') ?? `br-${record.id.slice(0, 12)}`,
    subnet: formatPrefix(subnet),
    prefixLength: subnet.length,
    gateway: pool.gateway,
    broadcast: formatIp(lastOf(subnet)),
    icc: option('bridge.enable_icc') !== 'false',
    masquerade: option('bridge.enable_ip_masquerade') !== 'false',
    mtu: Number(option('driver.mtu') ?? 1500),
    hostBinding: option('bridge.host_binding_ipv4') ?? '0.0.0.0',
    ipv6: record.enableIpv6,
  };
}

/** Options of the default bridge, as `docker network inspect bridge` shows them. */
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

/** Parses `--bip`: a host address within its subnet, prefix of 30 bits or less. Throws `invalid` with Docker's message. */
export function parseBip(settings: Pick<NetworkSettings, 'bip' | 'fixedCidr'>): {
  subnet: string;
  gateway: string;
  range?: string;
} {
  let bip: ReturnType<typeof parsePrefix>;
  try {
    bip = parsePrefix(settings.bip);
  } catch (cause) {
    throw new NetyardError('invalid', `parse bip failed: invalid CIDR address: ${settings.bip}`, { cause });
  }
  const subnet = networkOf(bip);
  const reject = (why: string): never => {
    throw new NetyardError('invalid', `invalid bip ${settings.bip}: ${why}`);
  };
  if (bip.family !== 4) reject('not an IPv4 address');
  if (bip.length > 30) reject('no room for containers; give a prefix of 30 bits or less');
  if (bip.value === subnet.value || bip.value === lastOf(subnet).value)
    reject('not the address of a host in its subnet');
  return {
    subnet: formatPrefix(subnet),
    gateway: formatIp(bip),
    ...(settings.fixedCidr === undefined ? {} : { range: settings.fixedCidr }),
  };
}
