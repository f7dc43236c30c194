/**
 * IPv4 and IPv6 addresses and prefixes: parsing, formatting, and arithmetic on bigints. Pure.
 *
 * Between packages an address is canonical text (`172.17.0.2`, `fd00::1`; RFC 5952 for IPv6) and a prefix is
 * `address/length`.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { NetyardError } from './errors.ts';

export type IpFamily = 4 | 6;

export interface Ip {
  family: IpFamily;
  /** The address as an unsigned number, most significant byte first. */
  value: bigint;
}

export interface Prefix extends Ip {
  /** Number of leading network bits. `value` keeps its host bits, as in `172.17.0.1/16`. */
  length: number;
}

const bitsOf = (family: IpFamily): number => (family === 4 ? 32 : 128);

/** Parses `172.17.0.2` or `fd00::1`. Throws `invalid`, also for zones (`fe80::1%eth0`). */
export function parseIp(text: string): Ip {
  const ip = tryParseIp(text);
  if (ip === undefined) throw new NetyardError('invalid', `invalid IP address: ${text}`);
  return ip;
}

/** As `parseIp`; undefined for what is no address. */
export function tryParseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  if (isIPv6(text) && !text.includes('%')) return { family: 6, value: parseIpv6Value(text) };
  return undefined;
}

function parseIpv6Value(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const low = parseIp(dotted[2]).value;
    return parseIpv6Value(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(zeros).fill('0'), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatIp(ip: Ip): string {
  if (ip.family === 4) return [24n, 16n, 8n, 0n].map((shift) => ((ip.value >> shift) & 255n).toString()).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((ip.value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)];
  const longest = runs.reduce<RegExpMatchArray | undefined>(
    (a, b) => (a && a[0].length >= b[0].length ? a : b),
    undefined,
  );
  if (!longest) return groups.join(':');
  const joined = groups.join(':');
  const before = joined.slice(0, longest.index);
  const after = joined.slice((longest.index ?? 0) + longest[0].length).replace(/^:/, '');
  return `${before}::${after}`;
}

/** Parses `192.168.11.1/24`, keeping the host bits. Throws `invalid`. */
export function parsePrefix(text: string): Prefix {
  const prefix = tryParsePrefix(text);
  if (prefix === undefined) throw new NetyardError('invalid', `invalid CIDR address: ${text}`);
  return prefix;
}

/** As `parsePrefix`; undefined for what is no prefix. */
export function tryParsePrefix(text: string): Prefix | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const ip = match?.[1] === undefined ? undefined : tryParseIp(match[1]);
  const length = Number(match?.[2]);
  return ip === undefined || length > bitsOf(ip.family) ? undefined : { ...ip, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix)}/${prefix.length}`;
}

/** Number of addresses in the prefix. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << BigInt(bitsOf(prefix.family) - prefix.length);
}

/** The same prefix with its host bits cleared: `192.168.11.1/24` gives `192.168.11.0/24`. */
export function networkOf(prefix: Prefix): Prefix {
  const size = prefixSize(prefix);
  return { ...prefix, value: (prefix.value / size) * size };
}

/** The last address: the broadcast address in IPv4. */
export function lastOf(prefix: Prefix): Ip {
  return { family: prefix.family, value: networkOf(prefix).value + prefixSize(prefix) - 1n };
}

export function prefixContains(prefix: Prefix, ip: Ip): boolean {
  if (prefix.family !== ip.family) return false;
  const first = networkOf(prefix).value;
  return ip.value >= first && ip.value < first + prefixSize(prefix);
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, networkOf(b)) || prefixContains(b, networkOf(a));
}

/** A host name or an address as the host of a URL: IPv6 in brackets (RFC 3986, section 3.2.2). */
export const urlHost = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** The address `offset` after `ip`. */
export function addToIp(ip: Ip, offset: bigint): Ip {
  return { family: ip.family, value: ip.value + offset };
}

/** Network byte order; 4 or 16 bytes. */
export function ipToBytes(ip: Ip): Uint8Array {
  const length = ip.family === 4 ? 4 : 16;
  return Uint8Array.from({ length }, (_, index) => Number((ip.value >> BigInt(8 * (length - 1 - index))) & 255n));
}

export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new NetyardError('invalid', `an IP address has 4 or 16 bytes, not ${bytes.length}`);
  return { family: bytes.length === 4 ? 4 : 6, value: bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) };
}
