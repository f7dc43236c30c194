/** Calls to registries: determines how to reach each, logs in when required, caches both. */
import type { IncomingMessage } from 'node:http';
import { isNetyardError, type NetyardError } from '@netyard/core';
import type { RegistryCredentials, RegistryReference } from '@netyard/engine';
import { parseChallenges } from './challenge.ts';
import { type Endpoint, findEndpoint, type InsecureRegistries } from './endpoint.ts';
import { discard, HttpClient, locationOf } from './http.ts';
import { login } from './tokens.ts';

export interface RegistryCall {
  method: string;
  /** Below `/v2/<name>/`. */
  path?: string;
  /** Instead of a path: the location from an earlier response, with parameters to add. */
  location?: { url: string; parameters: Readonly<Record<string, string>> };
  /** `login`: the registry itself rather than one of its repositories. */
  action: 'pull' | 'pull,push' | 'login';
  headers?: Readonly<Record<string, string>>;
  body?: AsyncIterable<Uint8Array> | Uint8Array;
  credentials: RegistryCredentials;
  signal?: AbortSignal | undefined;
}

interface Reached {
  endpoint: Endpoint;
  base: URL;
}

export class RegistrySession {
  readonly #http = new HttpClient();
  readonly #insecure: InsecureRegistries;
  readonly #certificates: string;
  readonly #reached = new Map<string, Reached>();
  /** Authorization headers by registry, user and scope. */
  readonly #logins = new Map<string, string>();

  constructor(insecure: InsecureRegistries, certificates: string) {
    this.#insecure = insecure;
    this.#certificates = certificates;
  }

  /** The response, whatever its status except 401 (unless logging in did not help). Its body must be read. */
  async call(ref: RegistryReference, call: RegistryCall): Promise<IncomingMessage> {
    const reached = await this.#reach(ref.domain, call.signal);
    const url = urlOf(reached, ref, call);
    const scope = call.action === 'login' ? '' : `repository:${ref.path}:${call.action}`;
    const key = JSON.stringify([ref.domain, scope, call.credentials]);
    const known = this.#logins.get(key);
    const response = await this.#send(reached, url, call, known);
    // a streamed body is consumed now; uploads start with a request without one, so login has happened before
    if (response.statusCode !== 401 || isStream(call.body)) return response;
    discard(response);
    const header = await login(this.#http, {
      challenges: parseChallenges(response.headers['www-authenticate'] ?? ''),
      credentials: call.credentials,
      scope,
      endpoint: reached.endpoint,
      url,
      signal: call.signal,
    });
    this.#logins.set(key, header);
    return await this.#send(reached, url, call, header);
  }

  async #send(reached: Reached, url: URL, call: RegistryCall, login: string | undefined): Promise<IncomingMessage> {
    const headers = {
      'user-agent': 'netyard',
      ...call.headers,
      ...(login === undefined || url.origin !== reached.base.origin ? {} : { authorization: login }),
    };
    const { method, signal } = call;
    const request = { method, url, headers, tls: reached.endpoint.tls, signal };
    if (call.body !== undefined) return await this.#http.send({ ...request, body: call.body });
    return method === 'GET' || method === 'HEAD' ? await this.#http.follow(request) : await this.#http.send(request);
  }

  /** https, or for an insecure registry the scheme that responds. */
  async #reach(domain: string, signal: AbortSignal | undefined): Promise<Reached> {
    const known = this.#reached.get(domain);
    if (known) return known;
    const endpoint = await findEndpoint(domain, this.#insecure, this.#certificates);
    const reached = await this.#probe(endpoint, signal);
    this.#reached.set(domain, reached);
    return reached;
  }

  async #probe(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<Reached> {
    const schemes = endpoint.insecure ? ['https', 'http'] : ['https'];
    let failure: NetyardError | undefined;
    for (const scheme of schemes) {
      const base = new URL(`${scheme}://${endpoint.host}/v2/`);
      try {
        const response = await this.#http.send({ method: 'GET', url: base, headers: {}, tls: endpoint.tls, signal });
        discard(response);
        return { endpoint, base };
      } catch (error) {
        if (!isNetyardError(error, 'unavailable')) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

const isStream = (body: RegistryCall['body']): boolean => body !== undefined && !(body instanceof Uint8Array);

function urlOf(reached: Reached, ref: RegistryReference, call: RegistryCall): URL {
  if (!call.location) return new URL(`${ref.path}/${call.path ?? ''}`, reached.base);
  const url = locationOf(call.location.url, reached.base, reached.endpoint.tls);
  for (const [name, value] of Object.entries(call.location.parameters)) url.searchParams.set(name, value);
  return url;
}
