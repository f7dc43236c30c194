/**
 * A container's /etc/resolv.conf on a network without a name server of its own: the host's file, overridden by the
 * user's options, without name servers that only the host can reach. Format: resolv.conf(5). Pure.
 */
import { NetyardError, parseIp } from '@netyard/core';

export interface ResolvConf {
  nameservers: string[];
  search: string[];
  options: string[];
  /** Name servers that are no addresses. */
  invalid: string[];
  /** Unknown directives, copied unchanged. */
  other: string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const result: ResolvConf = { nameservers: [], search: [], options: [], invalid: [], other: [] };
  for (const line of text.split('\n')) {
    if (/^\s*$|^[#;]/.test(line)) continue;
    const [word = '', ...values] = line.trim().split(/\s+/);
    if (word === 'nameserver' && values[0] !== undefined)
      (isAddress(values[0]) ? result.nameservers : result.invalid).push(values[0]);
    else if ((word === 'search' || word === 'domain') && values.length > 0) result.search = values;
    else if (word === 'options') result.options.push(...values);
    else if (word !== 'nameserver' && word !== 'search' && word !== 'domain') result.other.push(line);
  }
  return result;
}

function isAddress(text: string): boolean {
  try {
    parseIp(text.replace(/%.*$/, ''));
    return true;
  } catch {
    return false;
  }
}

export interface ResolvConfOptions {
  dns: readonly string[];
  dnsSearch: readonly string[];
  dnsOptions: readonly string[];
}

export interface ResolvConfSource extends ResolvConfOptions {
  /** Text of the host's file; '' when it does not exist. */
  host: string;
  /** Host mode: the host's loopback name servers are reachable, so they are kept. */
  hostNamespace: boolean;
  ipv6: boolean;
  /** Netyard's name server, queried before the others, which serve while the daemon is down. */
  first?: string;
}

const fallback = ['8.8.8.8', '8.8.4.4'];
const fallback6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

export function formatResolvConf(source: ResolvConfSource): string {
  const host = parseResolvConf(source.host);
  const nameservers = [source.first ?? [], chooseNameservers(source, host.nameservers)].flat();
  const search = source.dnsSearch.length > 0 ? source.dnsSearch.filter((name) => name !== '.') : host.search;
  const options = source.dnsOptions.length > 0 ? source.dnsOptions : host.options;
  const lines = [
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    ...host.other,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function chooseNameservers(source: ResolvConfSource, host: readonly string[]): readonly string[] {
  if (source.dns.length > 0) return source.dns;
  if (source.hostNamespace) return host;
  const reachable = host.filter((address) => {
    const ipv6 = address.includes(':');
    return ipv6 ? source.ipv6 && !/^(::1$|fe80:)/i.test(address) : !address.startsWith('127.');
  });
  if (reachable.length > 0) return reachable;
  return source.ipv6 ? [...fallback, ...fallback6] : fallback;
}

/** Throws `invalid` for values that are not addresses or would break the line format. */
export function checkResolvConfOptions(options: ResolvConfOptions): void {
  for (const address of options.dns) {
    if (!isAddress(address)) throw new NetyardError('invalid', `invalid IP address: ${address}`);
  }
  for (const text of [...options.dnsSearch, ...options.dnsOptions]) {
    if (/[\s\p{Cc}]/u.test(text)) throw new NetyardError('invalid', `${text} is not a valid domain or option`);
  }
}
