/** Checks settings of an endpoint. Pure. */
import {
  formatIp,
  isUnicastMac,
  messageOf,
  parseIp,
  parseMac,
  parsePrefix,
  prefixContains,
  tryParseIp,
} from '@netyard/core';
import type { EndpointConfig } from '../contract.ts';
import { findSysctlProblems } from '../endpoint-options.ts';
import { type Family, families, type PerFamily, perFamily } from '../family.ts';
import type { NetworkPools } from '../ipam/network-pools.ts';

/** IPv6 addresses have many forms: they are stored in that of RFC 5952. Invalid ones are kept, for the check to reject. */
export function withCanonicalAddresses<T extends { addresses?: PerFamily<string> }>(config: T): T {
  const { addresses } = config;
  if (addresses === undefined) return config;
  const canonical = perFamily((family) => {
    const text = addresses[family];
    return text !== undefined && isAddress(text, family) ? formatIp(parseIp(text)) : text;
  });
  return { ...config, addresses: canonical };
}

/** Problems in Docker's words and order. With `any` it is not checked whether a subnet contains the addresses. */
export function findSettingProblems(endpoint: EndpointConfig, pools: NetworkPools | 'any'): string[] {
  const problems: string[] = [];
  for (const family of families) {
    const address = endpoint.addresses?.[family];
    if (address === undefined) continue;
    if (!isAddress(address, family)) problems.push(`invalid IP${family} address: ${address}`);
    else if (pools !== 'any' && !pools.poolOf(address))
      problems.push(`no configured subnet contains IP address ${address}`);
  }
  for (const local of endpoint.linkLocalAddresses ?? [])
    if (!isLinkLocal(local, pools)) problems.push(`invalid link-local IP address: ${local}`);
  if (endpoint.macAddress) problems.push(...findMacProblem(endpoint.macAddress));
  problems.push(...findSysctlProblems(endpoint));
  return problems;
}

const linkLocalPrefixes = [parsePrefix('169.254.0.0/16'), parsePrefix('fe80::/10')];

/** An interface without IPv6 cannot have an IPv6 address. */
function isLinkLocal(text: string, pools: NetworkPools | 'any'): boolean {
  const ip = tryParseIp(text);
  if (ip === undefined || !linkLocalPrefixes.some((prefix) => prefixContains(prefix, ip))) return false;
  return ip.family === 4 || pools === 'any' || pools.has('v6');
}

function findMacProblem(text: string): string[] {
  try {
    return isUnicastMac(parseMac(text)) ? [] : [`${text} is not the address of a single interface`];
  } catch (error) {
    return [messageOf(error)];
  }
}

function isAddress(text: string, family: Family): boolean {
  try {
    const ip = parseIp(text);
    return ip.family === (family === 'v4' ? 4 : 6) && ip.value !== 0n;
  } catch {
    return false;
  }
}
