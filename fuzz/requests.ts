/** Generates requests: a route, its parameters, query, headers and body, valid or mutated. */
import * as bodies from './bodies.ts';
import type { Random } from './random.ts';
import { bytesOf, onLoopback, restrictBytes } from './restrict.ts';

export interface FuzzRoute {
  method: string;
  path: string;
}

export interface FuzzRequest {
  route: FuzzRoute;
  /** Request line without the HTTP version. */
  line: string;
  head: string;
  /** Bytes, one per character. */
  body: string;
  /** Number of body bytes sent before the client disconnects; undefined = all, and the response is read. */
  abortAfter?: number;
}

const words: readonly string[] = [
  ...['1', '0', 'true', '', '-1', 'all', 'a', '%00', '%zz', '%ff', '..', '/', '/etc', '/tmp', '99999999999999999999'],
  ...['x'.repeat(5_000), '%1b[31m', '{}', '[]', '{"a":', '{"name":["c0"]}', '{"status":{"running":true}}', '%F0%9F%98'],
  ...['{"since":["x"]}', '{"until":["y"]}', '{"label":["a=b"]}', '{"health":["x"]}', 'SIGKILL', 'KILL', 'next-exit'],
];

const queryNames: readonly string[] = [
  ...['all', 'limit', 'size', 'filters', 'name', 'path', 'signal', 'h', 'w', 'since', 'until', 'tail', 'stdout'],
  ...['stderr', 'logs', 'stream', 'stdin', 'condition', 'force', 'v', 'link', 'one-shot', 'repo', 'tag', 'platform'],
  ...['noOverwriteDirNonDir', 'copyUIDGID', 'ps_args', 'detachKeys', 'dryRun', 'timestamps', 'details', 'target'],
  ...['filter', 'format', 'changes', 'quiet', 'type', 'digests', 'names', 'noprune', 'message', 'snapLength', 'count'],
];

/** Parameters without which a route only returns an error or never ends. */
const fixedQueries: Readonly<Record<string, string>> = {
  '/containers/:id/stop': 't=0',
  '/containers/:id/restart': 't=0',
  '/containers/:id/stats': 'stream=0&one-shot=1',
  '/containers/:id/archive': 'path=/tmp',
  '/containers/:id/logs': 'stdout=1',
  '/containers/:id/attach': 'logs=1&stdout=1',
  '/containers/:id/rename': 'name=c1',
  '/images/:name/tag': 'repo=tagged&tag=a',
  '/events': 'until=1',
};

function parameter(path: string, random: Random): string {
  if (random.chance(0.15)) return encodeURIComponent(random.pick(words)).replaceAll('%25', '%');
  if (path.startsWith('/networks')) return random.pick(bodies.networkNames);
  if (path.startsWith('/volumes')) return random.pick(bodies.volumeNames);
  if (path.startsWith('/images')) return random.pick(bodies.imageNames);
  return random.pick(bodies.containerNames);
}

function queryOf({ path }: FuzzRoute, random: Random): string {
  const parts = path === '/containers/create' ? [`name=${random.pick(bodies.containerNames)}`] : [];
  if (path === '/images/create')
    parts.push(random.chance(0.5) ? `fromImage=${onLoopback(random.pick(words))}` : `fromSrc=-&repo=imported`);
  for (let more = random.below(4); more > 0 && random.chance(0.6); more -= 1)
    parts.push(`${random.pick(queryNames)}=${random.pick(words)}`);
  // Fixed ones first, because the first of equal names is used: no stop waits its ten seconds.
  return [fixedQueries[path] ?? '', ...parts].filter((part) => part !== '').join('&');
}

const versions: readonly string[] = ['', '/v1.24', '/v1.41', '/v1.51'];

const strangeHeaders: readonly string[] = [
  ...['X-Registry-Auth: e30', 'X-Registry-Auth: !!!', `X-Registry-Auth: ${'A'.repeat(9_000)}`, 'Expect: 100-continue'],
  ...['Transfer-Encoding: chunked', 'Content-Length: 5', 'Content-Length: -1', 'Content-Type: text/plain'],
  ...['Connection: Upgrade\r\nUpgrade: tcp', 'Upgrade: h2c', `X-Long: ${'x'.repeat(20_000)}`, 'Host: a', ': x', 'X'],
  ...['User-Agent: Netyard-Client', 'If-Match: *', 'Range: bytes=0-1', 'X-Registry-Config: bnVsbA'],
];

function bodyOf(route: FuzzRoute, random: Random): string {
  if (route.method === 'GET' || route.method === 'HEAD') return random.chance(0.02) ? 'x' : '';
  if (hasArchive(route)) return archiveLike(random);
  let value = bodies.validBody(route.path, random);
  for (let times = random.chance(0.6) ? 1 + random.below(3) : 0; times > 0; times -= 1)
    value = bodies.mutate(value, random);
  const text = bytesOf(JSON.stringify(value));
  return restrictBytes(random.chance(0.1) ? bodies.corrupt(text, random) : text);
}

const hasArchive = ({ method, path }: FuzzRoute): boolean =>
  method !== 'GET' && method !== 'HEAD' && /archive|load|images\/create|\/build$/.test(path);

/** A header announces an archive that never comes: the daemon waits for it longer than this client (`uploadIdleMs`). */
const isSilentUpload = (route: FuzzRoute, { body, header }: { body: string; header: string | undefined }): boolean =>
  body === '' && hasArchive(route) && /^(Transfer-Encoding: chunked|Content-Length: \d)/.test(header ?? '');

/** A tar header of a plain file with some invalid bytes; the name is intact. */
function archiveLike(random: Random): string {
  if (random.chance(0.3)) return 'no archive'.repeat(random.below(200));
  const head = Buffer.alloc(1024);
  head.write(`f${random.below(3)}`, 0);
  head.write('0000644\0', 100);
  head.write(`${random.below(512).toString(8).padStart(11, '0')}\0`, 124);
  head.write('ustar\x0000', 257);
  for (let wrong = random.below(3); wrong > 0; wrong -= 1) head[100 + random.below(56)] = random.below(256);
  head.write('        ', 148);
  const sum = head.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, Buffer.alloc(random.below(3) * 512)]).toString('latin1');
}

export function makeRequest(routes: readonly FuzzRoute[], random: Random): FuzzRequest {
  const route = routes[random.below(routes.length)] ?? { method: 'GET', path: '/_ping' };
  let path = route.path.replaceAll(/:\w+/g, () => parameter(route.path, random));
  if (/^\/images\/.*\/push$/.test(path)) path = `/images/${onLoopback('x')}/push`;
  const query = queryOf(route, random);
  const body = bodyOf(route, random);
  const line = `${route.method} ${random.pick(versions)}${path}${query === '' ? '' : `?${query}`}`;
  const headers = ['Host: fuzz', ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`])];
  headers.push('Content-Type: application/json');
  const header = random.chance(0.15) ? random.pick(strangeHeaders) : undefined;
  if (header !== undefined) headers.push(header);
  const head = `${line} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`;
  const abort = random.chance(0.05) ? { abortAfter: random.below(body.length + 1) } : {};
  const silent = isSilentUpload(route, { body, header }) ? { abortAfter: 0 } : {};
  return { route, line, head, body, ...abort, ...silent };
}
