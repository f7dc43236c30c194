/**
 * Requests with one negotiated API version, and their JSON responses. The operations are in the files beside this one.
 */
import type { IncomingMessage } from 'node:http';
import { NetyardError } from '@netyard/core';
import { type Call, type Hijacked, readText, type Transport } from './transport.ts';
import { negotiateVersion } from './version.ts';

export interface PingResult {
  apiVersion: string | undefined;
  osType: string | undefined;
}

export class Api {
  readonly transport: Transport;
  #version: Promise<string> | undefined;

  /** `version`: fixed (DOCKER_API_VERSION); otherwise negotiated with the first request. */
  constructor(transport: Transport, version?: string) {
    this.transport = transport;
    if (version) this.#version = Promise.resolve(version.replace(/^v/, ''));
  }

  async ping(): Promise<PingResult> {
    const answer = await this.transport.send('GET', '/_ping');
    await readText(answer, this.transport.maxAnswer);
    const header = (name: string): string | undefined => answer.headers[name]?.toString();
    return { apiVersion: header('api-version'), osType: header('ostype') };
  }

  /** Negotiated again after a failed attempt. */
  version(): Promise<string> {
    this.#version ??= this.ping().then(
      ({ apiVersion }) => negotiateVersion(apiVersion),
      (error: unknown) => {
        this.#version = undefined;
        throw error;
      },
    );
    return this.#version;
  }

  /** The response with its body unread: for streams. */
  async send(method: string, path: string, call?: Call): Promise<IncomingMessage> {
    return await this.transport.send(method, `/v${await this.version()}${path}`, call);
  }

  async json<T>(method: string, path: string, call?: Call): Promise<T> {
    const text = await readText(await this.send(method, path, call), this.transport.maxAnswer);
    return parseAnswer<T>(text, `${method} ${path}`);
  }

  /** Of Netyard's own routes, which have a version of their own in their path. */
  async own<T>(method: string, path: string, call?: Call): Promise<T> {
    const text = await readText(await this.transport.send(method, path, call), this.transport.maxAnswer);
    return parseAnswer<T>(text, `${method} ${path}`);
  }

  /** For responses without a body. */
  async done(method: string, path: string, call?: Call): Promise<void> {
    await readText(await this.send(method, path, call), this.transport.maxAnswer);
  }

  async hijack(path: string, call?: Call): Promise<Hijacked> {
    return await this.transport.hijack(`/v${await this.version()}${path}`, call);
  }
}

function parseAnswer<T>(text: string, request: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new NetyardError('internal', `the daemon's response to ${request} is not JSON`, { cause });
  }
}

/** Docker's filters as a query parameter; undefined when there are none. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export function filtersText(filters: Filters | undefined): string | undefined {
  const entries = Object.entries(filters ?? {});
  if (entries.length === 0) return undefined;
  return JSON.stringify(
    Object.fromEntries(entries.map(([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))])),
  );
}
