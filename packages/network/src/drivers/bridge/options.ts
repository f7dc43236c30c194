/** Docker's options of bridge networks, parsed into typed settings for the plans, and those of the default bridge. Pure. */
import { formatIp, formatPrefix, lastOf, NetyardError, networkOf, parseGoBoolean, parsePrefix } from '@netyard/core';
import type { NetworkRecord, NetworkSettings } from '../../contract.ts';
import type { BridgeSettings, GatewayMode } from '../../model.ts';

export const optionPrefix = 'com.docker.network.';

/** `deny`, the default: frames with foreign source addresses are dropped; `allow`: see docs/networks.md. */
export const spoofingOption = 'netyard.spoofing';

/** @param mtuLimit upper limit of the MTU, where tunnels require one */
export function bridgeSettings(record: NetworkRecord, mtuLimit?: number): BridgeSettings {
  const option = (name: string): string | undefined => record.options[optionPrefix + name];
  const isOn = (name: string): boolean => parseGoBoolean(option(name) ?? 'true') ?? true;
  const gatewayMode = (option('bridge.gateway_mode_ipv4') ?? 'nat') as GatewayMode;
  const sourceAddress = option('host_ipv4');
  return {
    networkId: record.id,
    networkName: record.name,
    link: option('bridge.name') || `br-${record.id.slice(0, 12)}`,
    ...addressSettings(record, gatewayMode),
    icc: isOn('bridge.enable_icc'),
    gatewayMode,
    internal: record.internal,
    masquerade: isOn('bridge.enable_ip_masquerade') && !record.internal && gatewayMode.startsWith('nat'),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
    trustedInterfaces: (option('bridge.trusted_host_interfaces') ?? '').split(':').filter((name) => name !== ''),
    mtu: Math.min(Number(option('driver.mtu') ?? 1500), mtuLimit ?? Number.POSITIVE_INFINITY),
    hostBinding: option('bridge.host_binding_ipv4') ?? '0.0.0.0',
    ipv6: record.ipam.v6 !== undefined,
    acceptsPeers: record.predefined,
    checksSources: !record.predefined && record.options[spoofingOption] !== 'allow',
  };
}

/** The subnet, and the host's address in it. */
function addressSettings(
  { name, ipam, options }: NetworkRecord,
  mode: GatewayMode,
): Pick<BridgeSettings, 'subnet' | 'prefixLength' | 'broadcast' | 'gateway' | 'address'> {
  const pool = ipam.v4?.[0];
  if (pool === undefined) throw new NetyardError('internal', `network ${name} has no subnet`);
  const subnet = networkOf(parsePrefix(pool.subnet));
  const common = {
    subnet: formatPrefix(subnet),
    prefixLength: subnet.length,
    broadcast: formatIp(lastOf(subnet)),
  };
  const { gateway } = pool;
  if (gateway === undefined || mode === 'isolated') return common;
  return { ...common, gateway, ...(isInhibited(options) ? {} : { address: `${gateway}/${subnet.length}` }) };
}

/** Not in mode isolated, and not without an address and a route out. */
export function hasBridgeGateway({ internal, options }: Pick<NetworkRecord, 'internal' | 'options'>): boolean {
  const isIsolated = options[`${optionPrefix}bridge.gateway_mode_ipv4`] === 'isolated';
  return !isIsolated && !(internal && isInhibited(options));
}

const isInhibited = (options: NetworkRecord['options']): boolean =>
  parseGoBoolean(options[`${optionPrefix}bridge.inhibit_ipv4`] ?? 'false') === true;

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
