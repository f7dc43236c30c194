/** The daemon's options of the default bridge, checked with dockerd's messages. Pure. */
import { NetyardError, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import { type DefaultBridgeIpv6, planBridgePool, planBridgePool6 } from '@netyard/network';
import type { RawOptions } from './options.ts';

export interface BridgeConfig {
  /** Its IPv4 address and prefix length. */
  bip: string;
  /** '': the whole subnet. */
  fixedCidr: string;
  /** '': the bridge itself. */
  defaultGateway: string;
  /** Name of the interface; '': docker0. */
  bridge: string;
  /** Undefined without `--ipv6`. */
  bridgeIpv6: DefaultBridgeIpv6 | undefined;
  /** `host-gateway` in `--add-host`; empty: the addresses of the default bridge. */
  hostGateways: readonly string[];
  /** About options without effect, for the log. */
  warnings: readonly string[];
}

/** Any subnet: the check of an automatic one needs the host. */
const anySubnet = 'fd00::/64';

const invalid = (message: string, cause?: unknown): NetyardError =>
  new NetyardError('invalid', message, cause === undefined ? {} : { cause });

/**
 * @param value of an option, given or its default
 * @param given explicit options of flags and file
 */
export function planBridge(value: (key: string) => unknown, given: RawOptions): BridgeConfig {
  for (const option of ['bip', 'bip6'])
    if (given['bridge'] && given[option])
      throw invalid(`You specified -b & --${option}, mutually exclusive options. Please specify only one`);
  const textOf = (key: string): string => String(value(key));
  const [fixedCidr6, bip6] = [textOf('fixed-cidr-v6'), textOf('bip6')];
  const [gateway, gateway6] = ['default-gateway', 'default-gateway-v6'].map((key) => checkAddress(key, textOf(key)));
  const ipv6 = {
    ...(bip6 === '' ? {} : { bip: bip6 }),
    ...(fixedCidr6 === '' ? {} : { fixedCidr: fixedCidr6 }),
    ...(gateway6 ? { defaultGateway: gateway6 } : {}),
  };
  checkIpv6(ipv6);
  const bridge = textOf('bridge');
  if (!/^[^\s/:]{0,15}$/.test(bridge)) throw invalid(`--bridge: not a valid interface name: ${bridge}`);
  const isOn = value('ipv6') === true;
  const idle = ['bip6', 'fixed-cidr-v6', 'default-gateway-v6'].filter((key) => !isOn && textOf(key) !== '');
  const warnings = idle.map((key) => `--${key} has no effect without --ipv6`);
  const ipv4 = { bip: textOf('bip'), fixedCidr: textOf('fixed-cidr'), defaultGateway: gateway ?? '' };
  return {
    ...checkIpv4(ipv4),
    bridge,
    bridgeIpv6: isOn ? ipv6 : undefined,
    hostGateways: planHostGateways(value('host-gateway-ips')),
    warnings,
  };
}

type Ipv4 = Pick<BridgeConfig, 'bip' | 'fixedCidr' | 'defaultGateway'>;

/** Also for the subnet that a cluster provides. */
export function checkIpv4(config: Ipv4): Ipv4 {
  const { bip, fixedCidr, defaultGateway } = config;
  if (fixedCidr !== '') {
    const subnet = parsePrefix(planBridgePool({ bip }).subnet);
    const fixed = parsePrefix(fixedCidr);
    if (fixed.length < subnet.length || !prefixContains(subnet, fixed))
      throw invalid(`--fixed-cidr ${fixedCidr} is not part of the default bridge's subnet ${bip}`);
  }
  planBridgePool({ bip, ...(defaultGateway === '' ? {} : { defaultGateway }) });
  return { bip, fixedCidr, defaultGateway };
}

/** Also without `--ipv6`, as dockerd does. A gateway in an automatic subnet is checked when this is known. */
function checkIpv6({ bip, fixedCidr, defaultGateway }: DefaultBridgeIpv6): void {
  const given = { ...(bip === undefined ? {} : { bip }), ...(fixedCidr === undefined ? {} : { fixedCidr }) };
  const hasSubnet = bip !== undefined || fixedCidr !== undefined;
  planBridgePool6({ ...given, ...(hasSubnet && defaultGateway ? { defaultGateway } : {}) }, () => anySubnet);
}

/** One address of each family. */
function planHostGateways(value: unknown): string[] {
  const addresses = (value as readonly unknown[]).map(String);
  const families = addresses.map((text) => {
    try {
      return parseIp(text).family;
    } catch (cause) {
      throw invalid(`invalid argument "${text}" for "--host-gateway-ip" flag: ${text} is not an ip address`, cause);
    }
  });
  for (const family of [4, 6])
    if (families.filter((one) => one === family).length > 1)
      throw invalid(`only one IPv${family} host gateway IP address can be specified`);
  return addresses;
}

function checkAddress(key: string, text: string): string {
  if (text === '') return '';
  try {
    if (parseIp(text).family === (key.endsWith('v6') ? 6 : 4)) return text;
  } catch (cause) {
    throw invalid(`invalid argument "${text}" for "--${key}" flag: ${text} is not an ip address`, cause);
  }
  throw invalid(
    `invalid argument "${text}" for "--${key}" flag: ${text} is not an IPv${key.endsWith('v6') ? 6 : 4} address`,
  );
}
