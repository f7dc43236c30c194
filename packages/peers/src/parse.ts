/**
 * Validates a peer request as far as possible without knowing the host: name, address, subnets, via. Also parses the
 * one-line form of the daemon's option. Pure.
 */
import {
  formatIp,
  formatPrefix,
  NetyardError,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '@netyard/core';
import { checkPeerApi } from './api.ts';
import type { PeerRequest, PeerVia } from './contract.ts';
import { outerFamilyOf } from './outer-family.ts';

const vias: readonly PeerVia[] = ['auto', 'route', 'vxlan'];
/** Not assignable to containers: this network, loopback, link-local, multicast and above (RFC 6890). */
const reserved = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/8', 'fe80::/10', 'ff00::/8'].map(
  parsePrefix,
);
const linkLocal = parsePrefix('fe80::/10');
/** A guard against mistyped prefixes that would cover large parts of the address space. */
const shortestSubnets = { 4: 8, 6: 16 } as const;

const invalid = (message: string, hint?: string): NetyardError =>
  new NetyardError('invalid', message, hint === undefined ? {} : { hint });

/** A request with defaults filled in. */
export type CheckedPeer = Required<Omit<PeerRequest, 'api' | 'network'>> & Pick<PeerRequest, 'api' | 'network'>;

/** Returns the request in canonical form, with `via` filled in. Throws `invalid`. */
export function checkPeerRequest(request: PeerRequest): CheckedPeer {
  const { network } = request;
  const name = network === undefined ? request.name : request.name.slice(0, -network.length - 1);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(name))
    throw invalid(`invalid peer name (${request.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, 63 at most`);
  const via = vias.find((known) => known === (request.via ?? 'auto'));
  if (via === undefined) throw invalid(`invalid value of via: ${request.via}`, `use one of ${vias.join(', ')}`);
  const address = checkAddress(request.address);
  if (request.subnets.length === 0) throw invalid(`peer ${request.name} has no subnet`, 'give --subnet CIDR');
  const subnets = request.subnets.map(checkSubnet);
  const ipv6 = subnets.find(({ family }) => family === 6);
  if (ipv6 && via === 'route' && outerFamilyOf(address) === 'v4')
    throw invalid(
      `subnet ${formatPrefix(ipv6)} cannot be reached by a route via the IPv4 address ${address}`,
      'use --via auto, which reaches IPv6 subnets through the tunnel, or an IPv6 address of the peer',
    );
  subnets.forEach((subnet, index) => {
    if (prefixContains(subnet, parseIp(address)))
      throw invalid(`subnet ${formatPrefix(subnet)} contains the peer's own address ${address}`);
    const double = subnets.slice(0, index).find((other) => prefixesOverlap(other, subnet));
    if (double) throw invalid(`subnet ${formatPrefix(subnet)} overlaps with subnet ${formatPrefix(double)}`);
  });
  const api = request.api ? { api: checkPeerApi(request.api) } : {};
  const part = network === undefined ? {} : { network };
  return { name: request.name, address, subnets: subnets.map(formatPrefix), via, ...api, ...part };
}

function checkAddress(text: string): string {
  const ip = parseIp(text.replace(/%.*$/, ''));
  if (prefixContains(linkLocal, ip))
    throw invalid(
      `${text} cannot be the address of a peer: it is link-local`,
      'use a global or unique local address of the peer',
    );
  if (text.includes('%')) throw invalid(`invalid IP address: ${text}`);
  if (reserved.some((prefix) => prefixContains(prefix, ip))) throw invalid(`${text} cannot be the address of a peer`);
  return formatIp(ip);
}

function checkSubnet(text: string): Prefix {
  const prefix = parsePrefix(text);
  const shortestSubnet = shortestSubnets[prefix.family];
  if (prefix.length < shortestSubnet)
    throw invalid(`${text} is too large for a peer's subnet: its prefix has less than ${shortestSubnet} bits`);
  const network = networkOf(prefix);
  if (network.value !== prefix.value) throw invalid(`${text} has host bits set`, `write ${formatPrefix(network)}`);
  const taken = reserved.find((other) => prefixesOverlap(other, prefix));
  if (taken) throw invalid(`${text} cannot be a subnet of containers: it overlaps with ${formatPrefix(taken)}`);
  return prefix;
}

/**
 * `server2=172.16.2.102,192.168.12.0/24[,SUBNET…][,via=route][,api=https://…,api-ca=FILE,api-cert=FILE,api-key=FILE]`,
 * the form of `--peer`. Throws `invalid`.
 */
export function parsePeerText(text: string): CheckedPeer {
  const [, name = '', rest = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  if (name === '') throw invalid(`invalid peer "${text}"`, 'write NAME=ADDRESS,SUBNET[,SUBNET…][,via=route]');
  const [address = '', ...more] = rest.split(',');
  const subnets = more.filter((part) => !part.includes('='));
  const settings = new Map(more.filter((part) => part.includes('=')).map(splitSetting));
  const unknown = [...settings.keys()].find((key) => !peerSettings.includes(key));
  if (unknown !== undefined) throw invalid(`invalid peer "${text}": unknown setting ${unknown}`);
  const via = settings.get('via');
  const setting = (key: string): string => settings.get(key) ?? '';
  const api = { ca: setting('api-ca'), certificate: setting('api-cert'), key: setting('api-key') };
  return checkPeerRequest({
    name,
    address,
    subnets,
    ...(via === undefined ? {} : { via: via as PeerVia }),
    ...([...settings.keys()].some((key) => key.startsWith('api')) ? { api: { url: setting('api'), ...api } } : {}),
  });
}

const peerSettings = ['via', 'api', 'api-ca', 'api-cert', 'api-key'];

function splitSetting(part: string): [string, string] {
  const equals = part.indexOf('=');
  return [part.slice(0, equals), part.slice(equals + 1)];
}
