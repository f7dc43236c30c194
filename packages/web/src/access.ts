/**
 * Decides whether a browser's request may be answered, by its headers alone: requests that another site's page makes the
 * browser send, and requests under a name that another DNS server points at this address (DNS rebinding), are refused.
 * Pure.
 */

/** The addresses under which this server is reached. */
export interface OwnAddresses {
  scheme: 'http' | 'https';
  /** Values of the Host header, in lower case: names and addresses, with the port. */
  hosts: ReadonlySet<string>;
}

export interface RequestHead {
  method: string;
  url: string;
  /** Names and values in turn, as Node's `rawHeaders`. */
  rawHeaders: readonly string[];
}

export interface Refusal {
  status: 400 | 403 | 405 | 415;
  message: string;
}

/** The header that the page sends with each request to `/api/`: another site cannot add it without a preflight. */
export const ownHeader = 'x-netyard-page';

/** Undefined for a request that may be answered. */
export function checkRequest(head: RequestHead, own: OwnAddresses): Refusal | undefined {
  const values = (name: string): string[] => valuesOf(head.rawHeaders, name);
  return (
    checkHost(values('host'), own) ??
    checkOrigin(values('origin'), own) ??
    checkFetchSite(values('sec-fetch-site')) ??
    checkMethod(head, values)
  );
}

/** Values of a header in the order sent. Node keeps only the first of some headers. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '');
  return values;
}

function checkHost(values: readonly string[], { hosts }: OwnAddresses): Refusal | undefined {
  if (values.length !== 1) return { status: 400, message: 'a request needs one Host header' };
  const [host = ''] = values;
  if (hosts.has(host.toLowerCase())) return undefined;
  return { status: 403, message: 'the name in the Host header is not one of this server' };
}

function checkOrigin(values: readonly string[], { scheme, hosts }: OwnAddresses): Refusal | undefined {
  const isOwn = (origin: string): boolean =>
    origin.startsWith(`${scheme}://`) && hosts.has(origin.slice(scheme.length + 3).toLowerCase());
  return values.every(isOwn) ? undefined : { status: 403, message: 'requests of other sites are refused' };
}

/** Browsers before 2023 do not send it; the other checks hold for these. */
function checkFetchSite(values: readonly string[]): Refusal | undefined {
  const isOwn = (site: string): boolean => site === 'same-origin' || site === 'none';
  return values.every(isOwn) ? undefined : { status: 403, message: 'requests of other sites are refused' };
}

/**
 * The target of a request, without `.` and `..`: what is checked is what is answered. Undefined for one that is no path, also
 * for `//name/path`, which names another host.
 */
export function parseTarget(target: string): URL | undefined {
  const isPath = /^\/(?![/\\])/.test(target);
  return isPath ? (URL.parse(`http://page${target}`) ?? undefined) : undefined;
}

function checkMethod({ method, url }: RequestHead, values: (name: string) => string[]): Refusal | undefined {
  if (method !== 'GET' && method !== 'POST') return { status: 405, message: `method ${method} is not supported` };
  const target = parseTarget(url);
  if (target === undefined) return { status: 400, message: 'the request names no path' };
  if (target.pathname.startsWith('/api/') && values(ownHeader).length === 0)
    return { status: 403, message: `the header ${ownHeader} is missing` };
  if (method === 'GET') return undefined;
  const types = values('content-type');
  if (types.length === 1 && /^application\/json(?:;|$)/i.test(types[0] ?? '')) return undefined;
  return { status: 415, message: 'the body has to be application/json' };
}

/**
 * The names under which a browser on this machine reaches a loopback listener. The port is part of the Host header, unless
 * it is the scheme's own.
 */
export function loopbackHosts(host: string, port: number): ReadonlySet<string> {
  return hostNames(['localhost', '127.0.0.1', '::1', host], 'http', port);
}

/** @param names host names and addresses, as in a certificate */
export function hostNames(names: readonly string[], scheme: 'http' | 'https', port: number): ReadonlySet<string> {
  const isDefault = port === (scheme === 'http' ? 80 : 443);
  const bracketed = names.map((name) => (name.includes(':') ? `[${name}]` : name).toLowerCase());
  return new Set(bracketed.flatMap((name) => (isDefault ? [name, `${name}:${port}`] : [`${name}:${port}`])));
}
