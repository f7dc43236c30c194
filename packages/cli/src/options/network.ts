/** Parses `--network` in its short and long form, and the flags of endpoints. Pure; throws `invalid`. */
import { type EndpointSettings, endpointRequest, endpointState, type Field } from '@netyard/api-types';
import { NetyardError, parseMac } from '@netyard/core';
import { splitCsv } from './csv.ts';
import { zeroValues } from './fill-fields.ts';

export interface NetworkAttachment {
  target: string;
  aliases: string[];
  links: string[];
  driverOptions: Record<string, string>;
  ipv4: string;
  ipv6: string;
  mac: string;
  linkLocalIps: string[];
  gatewayPriority: number;
}

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);

const plain = (target: string): NetworkAttachment => ({
  target,
  aliases: [],
  links: [],
  driverOptions: {},
  ipv4: '',
  ipv6: '',
  mac: '',
  linkLocalIps: [],
  gatewayPriority: 0,
});

/** `NAME`, or `name=NAME,alias=…,ip=…,mac-address=…,driver-opt=K=V,link-local-ip=…,gw-priority=N`. */
export function parseNetwork(text: string): NetworkAttachment {
  if (!/^(name|alias|ip|ip6|mac-address|link-local-ip|driver-opt|gw-priority)=/.test(text) && !text.includes(',')) {
    if (text.includes('=')) throw new Error(`invalid field key ${text.split('=')[0]}`);
    return plain(text);
  }
  const attachment = plain('');
  for (const field of splitCsv(text)) {
    const split = field.indexOf('=');
    if (split < 1) throw new Error(`invalid field ${field}`);
    setField(attachment, field.slice(0, split).trim().toLowerCase(), field.slice(split + 1).trim());
  }
  if (attachment.target === '') throw new Error('network name/id is not specified');
  return attachment;
}

function setField(attachment: NetworkAttachment, key: string, value: string): void {
  switch (key) {
    case 'name':
      attachment.target = value;
      return;
    case 'alias':
      attachment.aliases.push(value);
      return;
    case 'ip':
      attachment.ipv4 = value;
      return;
    case 'ip6':
      attachment.ipv6 = value;
      return;
    case 'mac-address':
      attachment.mac = checkedMac(value);
      return;
    case 'link-local-ip':
      attachment.linkLocalIps.push(value);
      return;
    case 'driver-opt': {
      const [name = '', ...rest] = value.split('=');
      if (name === '' || rest.length === 0) throw new Error('invalid key value pair format in driver options');
      attachment.driverOptions[name.trim().toLowerCase()] = rest.join('=').trim().toLowerCase();
      return;
    }
    case 'gw-priority':
      if (!/^-?\d+$/.test(value)) {
        throw new Error(`invalid gw-priority (${value}): invalid syntax`);
      }
      attachment.gatewayPriority = Number(value);
      return;
    default:
      throw new Error(`invalid field key ${key}`);
  }
}

/** Throws docker's `X is not a valid mac address`. */
export function checkedMac(text: string): string {
  parseMac(text);
  return text;
}

/** The other flags of endpoints; they apply to the first network. */
export interface EndpointFlags {
  aliases: string[];
  links: string[];
  ipv4: string;
  ipv6: string;
  mac: string;
  linkLocalIps: string[];
}

export const isUserDefined = (mode: string): boolean =>
  !['default', 'bridge', 'host', 'none', ''].includes(mode) && !/^container(:|$)/.test(mode);

/** NetworkMode and EndpointsConfig of a create request. */
export function planEndpoints(
  networks: readonly NetworkAttachment[],
  flags: EndpointFlags,
): { mode: string; endpoints: Record<string, EndpointSettings> } {
  const endpoints: Record<string, EndpointSettings> = {};
  const attachments = networks.length > 0 ? networks : [plain('default')];
  attachments.forEach((network, index) => {
    const endpoint = endpointOf(index === 0 ? withFlags(network, flags) : network);
    if (endpoints[network.target])
      throw invalid(`network ${JSON.stringify(network.target)} is specified multiple times`);
    if (networks.length === 1 && isEmpty(endpoint)) return;
    endpoints[network.target] = endpoint;
  });
  const kinds = new Set(networks.map(({ target }) => isUserDefined(target)));
  if (kinds.size > 1) {
    throw invalid('conflicting options: cannot attach both user-defined and non-user-defined network-modes');
  }
  return { mode: networks[0]?.target ?? 'default', endpoints };
}

function withFlags(network: NetworkAttachment, flags: EndpointFlags): NetworkAttachment {
  const conflict = (given: boolean, flag: string, field: string): void => {
    if (given) throw invalid(`conflicting options: cannot specify both --${flag} and per-network ${field}`);
  };
  conflict(network.aliases.length > 0 && flags.aliases.length > 0, 'network-alias', 'alias');
  conflict(network.links.length > 0 && flags.links.length > 0, 'link', 'links');
  conflict(network.ipv4 !== '' && flags.ipv4 !== '', 'ip', 'IPv4 address');
  conflict(network.ipv6 !== '' && flags.ipv6 !== '', 'ip6', 'IPv6 address');
  conflict(network.mac !== '' && flags.mac !== '', 'mac-address', 'MAC address');
  conflict(
    network.linkLocalIps.length > 0 && flags.linkLocalIps.length > 0,
    'link-local-ip',
    'link-local IP addresses',
  );
  return {
    ...network,
    aliases: flags.aliases.length > 0 ? flags.aliases : network.aliases,
    // On a user-defined network links belong to the endpoint, otherwise to the container.
    links: isUserDefined(network.target) && flags.links.length > 0 ? flags.links : network.links,
    ipv4: flags.ipv4 || network.ipv4,
    ipv6: flags.ipv6 || network.ipv6,
    mac: flags.mac || network.mac,
    linkLocalIps: flags.linkLocalIps.length > 0 ? flags.linkLocalIps : network.linkLocalIps,
  };
}

const orNull = <T>(items: T[]): T[] | null => (items.length > 0 ? items : null);

export function endpointOf(network: NetworkAttachment): EndpointSettings {
  if (network.target.trim() === '') throw invalid('no name set for network');
  if (!isUserDefined(network.target) && network.aliases.length > 0) {
    throw invalid('network-scoped aliases are only supported for user-defined networks');
  }
  if (network.mac !== '') checkedMac(network.mac);
  const values: Record<string, unknown> = {
    'link-local-ip': network.linkLocalIps,
    link: orNull(network.links),
    alias: orNull(network.aliases),
    'mac-address': network.mac,
    'driver-opt': Object.keys(network.driverOptions).length > 0 ? network.driverOptions : null,
    'gw-priority': network.gatewayPriority,
  };
  const ofFlags = Object.entries(endpointRequest).map(([name, { flags = [], also = [] }]: [string, Field]) => {
    const flag = [...flags.map((facts) => facts.name), ...also].find((flagName) => flagName in values);
    return [name, flag === undefined ? null : values[flag]];
  });
  return { ...Object.fromEntries(ofFlags), IPAMConfig: ipamOf(network), ...noState } as EndpointSettings;
}

/** docker's values of the fields that only inspect fills. */
const noState = zeroValues(endpointState);

function ipamOf({ ipv4, ipv6, linkLocalIps }: NetworkAttachment): EndpointSettings['IPAMConfig'] {
  if (ipv4 === '' && ipv6 === '' && linkLocalIps.length === 0) return null;
  return {
    ...(ipv4 !== '' ? { IPv4Address: ipv4 } : {}),
    ...(ipv6 !== '' ? { IPv6Address: ipv6 } : {}),
    ...(linkLocalIps.length > 0 ? { LinkLocalIPs: linkLocalIps } : {}),
  };
}

const isEmpty = (endpoint: EndpointSettings): boolean =>
  Object.values(endpoint).every((value) => value === null || value === '' || value === 0);
