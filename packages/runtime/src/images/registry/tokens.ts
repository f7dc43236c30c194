/** Login: the Authorization header that answers a registry's challenge. distribution: docs/spec/auth/token.md */
import { NetyardError } from '@netyard/core';
import type { RegistryCredentials } from '@netyard/engine';
import type { Challenge } from './challenge.ts';
import type { Endpoint } from './endpoint.ts';
import { refusalOf } from './errors.ts';
import { type HttpClient, readBody } from './http.ts';

const longestAnswer = 1024 * 1024;

export interface LoginRequest {
  challenges: readonly Challenge[];
  credentials: RegistryCredentials;
  /** `repository:library/nginx:pull`; '' for a login without a repository. */
  scope: string;
  endpoint: Endpoint;
  /** The URL that was refused, for messages. */
  url: URL;
  signal?: AbortSignal | undefined;
}

/** Throws `unauthorized` when the registry requires a name and a password and none were given. */
export async function login(http: HttpClient, request: LoginRequest): Promise<string> {
  const bearer = request.challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer) return `Bearer ${await fetchToken(http, request, bearer)}`;
  const basic = basicHeader(request.credentials);
  if (request.challenges.some(({ scheme }) => scheme === 'basic') && basic !== undefined) return basic;
  throw new NetyardError('unauthorized', `Get "${request.url.href}": no basic auth credentials`);
}

function basicHeader({ username, password }: RegistryCredentials): string | undefined {
  if (username === undefined || username === '' || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function fetchToken(http: HttpClient, request: LoginRequest, challenge: Challenge): Promise<string> {
  const realm = realmOf(challenge, request.endpoint);
  const { service = '' } = challenge.parameters;
  const { username = '', identityToken } = request.credentials;
  const tls = { ...request.endpoint.tls };
  const common = { tls, signal: request.signal };
  let response: Awaited<ReturnType<HttpClient['send']>>;
  if (identityToken !== undefined && identityToken !== '') {
    const form = { grant_type: 'refresh_token', service, scope: request.scope, client_id: 'netyard' };
    const body = Buffer.from(new URLSearchParams({ ...form, refresh_token: identityToken }).toString());
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
    response = await http.send({ ...common, method: 'POST', url: realm, headers, body });
  } else {
    if (service !== '') realm.searchParams.set('service', service);
    if (request.scope !== '') realm.searchParams.append('scope', request.scope);
    if (username !== '') realm.searchParams.set('account', username);
    const basic = basicHeader(request.credentials);
    const headers: Record<string, string> = basic === undefined ? {} : { authorization: basic };
    response = await http.follow({ ...common, method: 'GET', url: realm, headers });
  }
  const body = (await readBody(response, longestAnswer)).toString();
  if (response.statusCode !== 200) throw refusalOf(response.statusCode ?? 0, body, `GET ${realm.href}`);
  return tokenOf(body, realm);
}

/** Credentials are not sent unencrypted unless the registry itself is unencrypted. */
function realmOf(challenge: Challenge, endpoint: Endpoint): URL {
  const text = challenge.parameters['realm'] ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const allowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && endpoint.insecure);
  if (url && allowed) return url;
  throw new NetyardError('unauthorized', `${endpoint.host} requests tokens from "${text}", which is not an https URL`);
}

function tokenOf(body: string, realm: URL): string {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) {
      if ('token' in value && typeof value.token === 'string') return value.token;
      if ('access_token' in value && typeof value.access_token === 'string') return value.access_token;
    }
  } catch {
    // reported below
  }
  throw new NetyardError('unauthorized', `authorization server ${realm.host} did not include a token in its response`);
}
