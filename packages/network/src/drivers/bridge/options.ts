/** Docker's options of bridge networks, parsed into typed settings for the plans. Pure. */
import { formatIp, formatPrefix, lastOf, NetyardError, networkOf, parseGoBoolean, parsePrefix } from '@netyard/core';
import type { NetworkRecord } from '../../contract.ts';
import { type Family, families, ofFamily, perFamily } from '../../family.ts';
import type { BridgeSettings, FamilySettings, GatewayMode } from '../../model.ts';

export const optionPrefix = 'com.docker.network.';

/** `deny`, the default: frames with foreign source addresses are dropped; `allow`: see docs/networks.md. */
export const spoofingOption = 'netyard.spoofing';

/** The uplink on which the host answers neighbour solicitations for the IPv6 addresses of containers. */
export const ndpProxyOption = 'netyard.ndp_proxy';
/** `accept`: containers of peers, and subnets in the set `peers`, reach the network's containers; `drop`, the default. */
export const peersOption = 'netyard.peers';

/** @param mtuLimit upper limit of the MTU, where tunnels require one */
export function bridgeSettings(record: NetworkRecord, mtuLimit?: number): BridgeSettings {
  const option = (name: string): string | undefined => record.options[optionPrefix + name];
  const isOn = (name: string): boolean => parseGoBoolean(option(name) ?? 'true') ?? true;
  if (families.every((family) => record.ipam[family]?.[0] === undefined))
    throw new NetyardError('internal', `network ${record.name} has no subnet`);
  return {
    networkId: record.id,
    networkName: record.name,
    link: option('bridge.name') || `br-${record.id.slice(0, 12)}`,
    existing: record.existingBridge !== undefined,
    ...perFamily((family) => familySettings(record, family, isOn('bridge.enable_ip_masquerade'))),
    icc: isIccOn(record.options),
    internal: record.internal,
    trustedInterfaces: (option('bridge.trusted_host_interfaces') ?? '').split(':').filter((name) => name !== ''),
    mtu: Math.min(Number(option('driver.mtu') ?? 0) || 1500, mtuLimit ?? Number.POSITIVE_INFINITY),
    hostBinding: option('bridge.host_binding_ipv4') ?? '0.0.0.0',
    ...(record.options[ndpProxyOption] ? { ndpProxy: record.options[ndpProxyOption] } : {}),
    acceptsPeers: record.predefined || record.options[peersOption] === 'accept',
    checksSources: !record.predefined && record.options[spoofingOption] !== 'allow',
  };
}

const isIccOn = (options: NetworkRecord['options']): boolean =>
  parseGoBoolean(options[`${optionPrefix}bridge.enable_icc`] ?? 'true') ?? true;

/** The subnet, the host's address in it, and how packets leave it; undefined for a family that the network does not have. */
function familySettings(record: NetworkRecord, family: Family, masquerades: boolean): FamilySettings | undefined {
  const { ipam, internal, options } = record;
  const pool = ipam[family]?.[0];
  if (pool === undefined) return undefined;
  const subnet = networkOf(parsePrefix(pool.subnet));
  const gatewayMode = gatewayModeOf(options, family);
  const sourceAddress = options[`${optionPrefix}host_ip${family}`];
  const whole = ofFamily(record.cluster, family);
  return {
    subnet: formatPrefix(subnet),
    prefixLength: subnet.length,
    ...hostAddress(record, family, subnet.length),
    ...(family === 'v4' ? { broadcast: formatIp(lastOf(subnet)) } : {}),
    ...(whole === undefined ? {} : { wholeSubnet: whole.subnet }),
    gatewayMode,
    masquerade: masquerades && !internal && gatewayMode.startsWith('nat'),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
  };
}

const gatewayModeOf = (options: NetworkRecord['options'], family: Family): GatewayMode =>
  (options[`${optionPrefix}bridge.gateway_mode_ip${family}`] ?? 'nat') as GatewayMode;

function hostAddress(
  { ipam, options }: NetworkRecord,
  family: Family,
  length: number,
): Pick<FamilySettings, 'gateway' | 'address'> {
  const gateway = ipam[family]?.[0]?.gateway;
  if (gateway === undefined || gatewayModeOf(options, family) === 'isolated') return {};
  const isWithout = family === 'v4' && isInhibited(options);
  return { gateway, ...(isWithout ? {} : { address: `${gateway}/${length}` }) };
}

/** Not in mode isolated, and not without an address and a route out. */
export function hasBridgeGateway(
  { internal, options }: Pick<NetworkRecord, 'internal' | 'options'>,
  family: Family,
): boolean {
  const isIsolated = gatewayModeOf(options, family) === 'isolated';
  return !isIsolated && !(family === 'v4' && internal && isInhibited(options));
}

/**
 * Not with icc=false, whose rules compare two ports of one bridge, and not on a bridge that another program created, whose
 * ports may be any.
 */
export const canHaveSegments = ({
  options,
  existingBridge,
}: Pick<NetworkRecord, 'options' | 'existingBridge'>): boolean => existingBridge === undefined && isIccOn(options);

/** Docker's names of the auxiliary addresses that are the containers' default gateways. */
export const routerOf = ({ ipam }: Pick<NetworkRecord, 'ipam'>, family: Family): string | undefined =>
  ipam[family]?.[0]?.auxAddresses?.[`DefaultGatewayIP${family}`];

const isInhibited = (options: NetworkRecord['options']): boolean =>
  parseGoBoolean(options[`${optionPrefix}bridge.inhibit_ipv4`] ?? 'false') === true;
