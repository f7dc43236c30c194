/** One HTTP request to a registry or its helpers, on Node's own client. No authentication and no retries. */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import type { Endpoint } from './endpoint.ts';
import { connectionError } from './errors.ts';

export interface HttpRequest {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body?: AsyncIterable<Uint8Array> | Uint8Array;
  tls: Endpoint['tls'];
  signal?: AbortSignal | undefined;
}

/** A request without data for this long ends, milliseconds. */
const silence = 60_000;
const mostRedirects = 5;

export class HttpClient {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: 16 });

  /** The response, whatever its status; its body must be read or destroyed. Throws `unavailable` without a response. */
  send(request: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { method, url, headers, tls, signal } = request;
      const options = { method, headers, ...(signal ? { signal } : {}) };
      const sent =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, ...tls, agent: this.#https })
          : httpRequest(url, { ...options, agent: this.#http });
      sent.setTimeout(silence, () => sent.destroy(new Error('i/o timeout')));
      sent.on('response', resolve);
      sent.on('error', (error) => reject(signal?.aborted ? error : connectionError(method, url, error)));
      sendBody(sent, request.body).catch((error: unknown) => {
        reject(error);
        sent.destroy();
      });
    });
  }

  /** Follows redirects of a request without body; credentials are sent only to the host they are for. */
  async follow(request: HttpRequest): Promise<IncomingMessage> {
    let current = request;
    for (let count = 0; count <= mostRedirects; count += 1) {
      const response = await this.send(current);
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
      discard(response);
      const url = locationOf(location, current.url, request.tls);
      const { authorization: _, ...others } = lowerCased(current.headers);
      current = { ...current, url, headers: url.origin === current.url.origin ? current.headers : others };
    }
    throw new NetyardError('unavailable', `${request.url.href}: stopped after ${mostRedirects} redirects`);
  }
}

/**
 * The URL of a Location header. Throws `unavailable` if it is no http URL, as a registry cannot direct the daemon to files
 * or sockets, and if it leads from https to plain http, where uploads and downloads are readable.
 */
export function locationOf(location: string, from: URL, tls: Endpoint['tls']): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new NetyardError('unavailable', `${from.origin} redirects to ${JSON.stringify(location)}, no http URL`);
  if (from.protocol === 'https:' && url.protocol !== 'https:' && tls.rejectUnauthorized)
    throw new NetyardError('unavailable', `refusing a redirect from ${from.origin} to plain http`);
  return url;
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

async function sendBody(sent: ClientRequest, body: HttpRequest['body']): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    sent.end(body);
    return;
  }
  try {
    await pipeline(Readable.from(body, { objectMode: false }), sent);
  } catch (error) {
    // the registry may have responded and closed the connection before it received the whole body: then its response
    // counts
    if (!(error instanceof Error && 'code' in error && ['EPIPE', 'ECONNRESET'].includes(String(error.code))))
      throw error;
  }
}

/** Bytes of an unused body that are read to keep the connection alive; beyond that it is closed. */
const longestDiscarded = 64 * 1024;

/**
 * Drops a body: a short one is read, so that its connection can be reused; for a longer one the connection is closed.
 */
export function discard(response: IncomingMessage): void {
  let length = 0;
  response.on('error', () => undefined); // the caller needs only the head
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > longestDiscarded) response.destroy();
  });
}

/** Reads a body up to a limit. Throws `invalid` when it is longer, `unavailable` when it ends early. */
export async function readBody(response: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw new NetyardError('invalid', `the registry's response is longer than ${limit} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    response.destroy();
    if (isNetyardError(cause)) throw cause;
    throw new NetyardError('unavailable', `the registry's response ended early: ${messageOf(cause)}`, { cause });
  }
  return Buffer.concat(chunks);
}
