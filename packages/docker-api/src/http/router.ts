/**
 * Finds the handler of a request: version prefix, then Docker's paths by find-my-way. References with slashes
 * (`registry/path/image:tag`, `parent/alias`) in the middle of Docker's paths are escaped into one segment first.
 */
import type { IncomingMessage } from 'node:http';
import { NetyardError } from '@netyard/core';
import findMyWay from 'find-my-way';
import { HttpError } from '../errors.ts';
import { type ApiVersion, checkVersion, splitVersion } from '../versions.ts';
import type { RequestContext } from './request-context.ts';

export type Handler = (exchange: RequestContext) => Promise<void> | void;
export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export interface Route {
  method: Method;
  path: string;
  handler: Handler;
}

export const route = (method: Method, path: string, handler: Handler): Route => ({ method, path, handler });

export interface Match {
  /** The route's path, with its parameters as `:name`. */
  pattern: string;
  handler: Handler;
  params: Readonly<Record<string, string | undefined>>;
  version: ApiVersion;
  query: URLSearchParams;
}

export interface Router {
  /** Throws `invalid` for a bad version or escape, 404 `page not found` otherwise. */
  match(request: IncomingMessage): Match;
}

const folded = ['containers', 'images', 'distribution', 'networks', 'volumes', 'plugins'];
const fixed = ['/images/json', '/containers/json'];

/** `/images/a/b/json` → `/images/a%2Fb/json`; `DELETE /containers/a/b` → `/containers/a%2Fb`. Pure. */
export function foldReference(method: string, path: string): string {
  const [, resource = '', ...rest] = path.split('/');
  if (!folded.includes(resource) || rest.length < 2 || fixed.includes(path)) return path;
  // Docker's route is GET /networks/{id:.*}.
  const isWhole = method === 'DELETE' || (method === 'GET' && resource === 'networks');
  const verb = isWhole ? [] : rest.slice(path.endsWith('/attach/ws') ? -2 : -1);
  const reference = rest.slice(0, rest.length - verb.length).filter((part, index) => part !== '' || index > 0);
  return ['', resource, reference.join('%2F'), ...verb].join('/');
}

export function openRouter(routes: readonly Route[]): Router {
  // find-my-way's own handlers are not used: the match's store holds ours.
  const table = findMyWay({ maxParamLength: 16_384, caseSensitive: true });
  for (const { method, path, handler } of routes) table.on(method, path, ignore, { pattern: path, handler });
  return {
    match(request) {
      const [rawPath = '/', ...search] = (request.url ?? '/').split('?');
      checkEscapes(rawPath);
      const { version, path } = splitVersion(rawPath);
      const found = table.find(methodOf(request), foldReference(request.method ?? '', path));
      if (!found) throw new HttpError(404, 'page not found');
      checkVersion(version);
      const { pattern, handler } = found.store as Pick<Match, 'pattern' | 'handler'>;
      return { pattern, handler, params: found.params, version, query: parseQuery(search.join('?')) };
    },
  };
}

const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];

function methodOf(request: IncomingMessage): Method {
  const method = methods.find((known) => known === request.method);
  if (!method) throw new HttpError(404, 'page not found');
  return method;
}

function ignore(): void {}

/** NUL is invalid in every parameter, and no system call accepts it: rejected here once for all routes. */
function parseQuery(text: string): URLSearchParams {
  const query = new URLSearchParams(text);
  if (text === '') return query;
  for (const [name, value] of query)
    if (name.includes('\0') || value.includes('\0'))
      throw new NetyardError('invalid', `invalid query parameter ${JSON.stringify(name)}: NUL in value`);
  return query;
}

function checkEscapes(path: string): void {
  if (!path.includes('%')) return;
  try {
    if (decodeURIComponent(path).includes('\0')) throw new NetyardError('invalid', 'invalid URL: NUL in path');
  } catch (cause) {
    if (cause instanceof NetyardError) throw cause;
    throw new NetyardError('invalid', `invalid URL escape in ${JSON.stringify(path)}`, { cause });
  }
}
