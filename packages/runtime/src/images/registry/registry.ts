/**
 * A client for v2 registries (the engine's `Registry`). Connects to the host of a reference and, if that host says so,
 * to its token server and to where it redirects blobs; to no other host.
 * https://github.com/opencontainers/distribution-spec
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Descriptor, Registry, RegistryCredentials, RegistryReference } from '@netyard/engine';
import { parseInsecureRegistries } from './endpoint.ts';
import { refusalOf } from './errors.ts';
import { discard, readBody } from './http.ts';
import { type RegistryCall, RegistrySession } from './session.ts';
import { StreamSum } from './stream-sum.ts';

export interface RegistryOptions {
  /** --insecure-registry: host, host:port or CIDR. Loopback is always insecure. */
  insecureRegistries?: readonly string[];
  /** `<host:port>/ca.crt`, `client.cert`, `client.key` below it; /etc/docker/certs.d by default. */
  certificates?: string;
  /** Delay before resuming a broken download, milliseconds. */
  retryDelay?: number;
}

/** The operation of `docker login`, which the engine does not need. */
export interface RegistryLogin {
  /** Resolves when the registry accepts these credentials; throws `unauthorized` with its message otherwise. */
  login(domain: string, credentials: RegistryCredentials, signal?: AbortSignal): Promise<void>;
}

/** Opens no connection yet. Throws `invalid` for an invalid --insecure-registry. */
export function openRegistry(options: RegistryOptions = {}): Registry & RegistryLogin {
  const insecure = parseInsecureRegistries(options.insecureRegistries ?? []);
  const session = new RegistrySession(insecure, options.certificates ?? '/etc/docker/certs.d');
  return new HttpRegistry(session, options.retryDelay ?? 1000);
}

/** The same limit as containerd and Docker. */
const longestManifest = 4 * 1024 * 1024;
const longestRefusal = 64 * 1024;
/**
 * For one blob, whatever progress each attempt made: a registry that always breaks off must not block a pull for ever.
 */
const mostAttempts = 5;

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

class HttpRegistry implements Registry, RegistryLogin {
  readonly #session: RegistrySession;
  readonly #retryDelay: number;

  constructor(session: RegistrySession, retryDelay: number) {
    this.#session = session;
    this.#retryDelay = retryDelay;
  }

  async login(domain: string, credentials: RegistryCredentials, signal?: AbortSignal): Promise<void> {
    const response = await this.#session.call(
      { domain, path: '', reference: '' },
      { method: 'GET', location: { url: '/v2/', parameters: {} }, action: 'login', credentials, signal },
    );
    const body = (await readBody(response, longestRefusal)).toString();
    const status = response.statusCode ?? 0;
    if (status !== 200) throw refusalOf(status, body, `GET https://${domain}/v2/`);
  }

  resolve(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }> {
    return this.fetchManifest(ref, credentials, signal);
  }

  async fetchManifest(
    ref: RegistryReference,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<Descriptor & { body: Uint8Array }> {
    const headers = { accept: manifestTypes.join(', ') };
    const response = await this.#get(ref, `manifests/${ref.reference}`, { headers, credentials, signal });
    const body = await readBody(response, longestManifest);
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    if (ref.reference.includes(':') && ref.reference !== digest) {
      throw new NetyardError('invalid', `manifest verification failed for digest ${ref.reference}: it is ${digest}`);
    }
    return { mediaType: manifestType(response, body), digest, size: body.length, body };
  }

  async *fetchBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const chunk of await this.#openBlob(ref, digest, offset, { credentials, signal })) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isBroken(error) || attempt === mostAttempts) throw error;
        await sleep(this.#retryDelay * attempt, undefined, { signal });
      }
    }
  }

  /** From `offset` on, also when the registry does not support ranges. */
  async #openBlob(
    ref: RegistryReference,
    digest: string,
    offset: number,
    call: Pick<RegistryCall, 'credentials' | 'signal'>,
  ): Promise<AsyncIterable<Uint8Array>> {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const response = await this.#get(ref, `blobs/${digest}`, { ...call, headers });
    return offset > 0 && response.statusCode === 200 ? skip(response, offset) : whole(response);
  }

  async hasBlob(
    ref: RegistryReference,
    digest: string,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const call = { method: 'HEAD', path: `blobs/${digest}`, action: 'pull,push' as const, credentials, signal };
    const response = await this.#session.call(ref, call);
    discard(response);
    if (response.statusCode === 404) return false;
    if (response.statusCode === 200) return true;
    throw refusalOf(response.statusCode ?? 0, '', `HEAD ${call.path}`);
  }

  async pushBlob(
    ref: RegistryReference,
    blob: Descriptor,
    body: AsyncIterable<Uint8Array>,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<void> {
    const common = { action: 'pull,push' as const, credentials, signal };
    const location = await this.#beginUpload(ref, common);
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) };
    const ended = await this.#session.call(ref, {
      ...common,
      method: 'PUT',
      location: { url: location, parameters: { digest: blob.digest } },
      headers,
      body,
    });
    await expectStatus(ended, [201, 204], 'PUT blobs/uploads/');
  }

  /** As Docker does: the data in one PATCH of unknown length, then the digest. */
  async pushStream(
    ref: RegistryReference,
    body: AsyncIterable<Uint8Array>,
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): Promise<{ digest: string; size: number }> {
    const common = { action: 'pull,push' as const, credentials, signal };
    const url = await this.#beginUpload(ref, common);
    const sum = new StreamSum(body);
    const sent = await this.#session.call(ref, {
      ...common,
      method: 'PATCH',
      location: { url, parameters: {} },
      headers: { 'content-type': 'application/octet-stream' },
      body: sum.read(),
    });
    await expectStatus(sent, [202, 201, 204], 'PATCH blobs/uploads/');
    const { digest, size } = sum.result();
    const ended = await this.#session.call(ref, {
      ...common,
      method: 'PUT',
      location: { url: sent.headers.location ?? url, parameters: { digest } },
      headers: { 'content-length': '0' },
      body: new Uint8Array(0),
    });
    await expectStatus(ended, [201, 204], 'PUT blobs/uploads/');
    return { digest, size };
  }

  async #beginUpload(
    ref: RegistryReference,
    call: Pick<RegistryCall, 'action' | 'credentials' | 'signal'>,
  ): Promise<string> {
    const begun = await this.#session.call(ref, { ...call, method: 'POST', path: 'blobs/uploads/' });
    await expectStatus(begun, [202], 'POST blobs/uploads/');
    const { location } = begun.headers;
    if (location !== undefined) return location;
    throw new NetyardError('unavailable', 'the registry does not return an upload location');
  }

  async pushManifest(
    ref: RegistryReference,
    mediaType: string,
    body: Uint8Array,
    credentials: RegistryCredentials,
    signal?: AbortSignal,
  ): Promise<{ digest: string }> {
    const headers = { 'content-type': mediaType, 'content-length': String(body.length) };
    const path = `manifests/${ref.reference}`;
    const call = { method: 'PUT', path, action: 'pull,push' as const, credentials, signal, headers, body };
    await expectStatus(await this.#session.call(ref, call), [200, 201, 202], `PUT ${path}`);
    return { digest: `sha256:${createHash('sha256').update(body).digest('hex')}` };
  }

  async #get(
    ref: RegistryReference,
    path: string,
    call: Pick<RegistryCall, 'headers' | 'credentials' | 'signal'>,
  ): Promise<IncomingMessage> {
    const response = await this.#session.call(ref, { ...call, method: 'GET', path, action: 'pull' });
    if (response.statusCode === 200 || response.statusCode === 206) return response;
    throw refusalOf(response.statusCode ?? 0, (await readBody(response, longestRefusal)).toString(), `GET ${path}`);
  }
}

/** Reads the response body, so that the connection can be reused. */
async function expectStatus(response: IncomingMessage, expected: readonly number[], request: string): Promise<void> {
  const body = (await readBody(response, longestRefusal)).toString();
  if (!expected.includes(response.statusCode ?? 0)) throw refusalOf(response.statusCode ?? 0, body, request);
}

/** Some registries only state it in the manifest. */
function manifestType(response: IncomingMessage, body: Uint8Array): string {
  const [header = ''] = (response.headers['content-type'] ?? '').split(';');
  if (manifestTypes.includes(header)) return header;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    const inside = typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined;
    if (typeof inside === 'string' && manifestTypes.includes(inside)) return inside;
  } catch (error) {
    throw new NetyardError('invalid', 'the registry returned a manifest that is not valid JSON', { cause: error });
  }
  throw new NetyardError('invalid', `unsupported manifest type "${header}"`, {
    hint: 'push the image again with a newer tool: it has the old format "schema 1"',
  });
}

/** A response that ends too early is a failure, not an end. */
async function* whole(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
}

async function* skip(response: IncomingMessage, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of whole(response)) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** Whether a retry may help: the connection failed or ended early, or the registry reports a temporary error. */
function isBroken(error: unknown): boolean {
  if (isNetyardError(error)) return error.code === 'unavailable';
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ECONN');
}
