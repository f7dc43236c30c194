/** Peers, over Netyard's own routes. */
import type { DryRunResponse, Peer, PeerAddRequest } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import type { Api } from './api.ts';
import { type Call, readText, segmentOf } from './transport.ts';

const root = '/netyard/v1/peers';

export class Peers {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(): Promise<Peer[]> {
    return this.#json('GET', root);
  }

  inspect(name: string): Promise<Peer> {
    return this.#json('GET', peer(name));
  }

  add(body: PeerAddRequest): Promise<Peer> {
    return this.#json('POST', root, { json: body });
  }

  planAdd(body: PeerAddRequest): Promise<DryRunResponse> {
    return this.#json('POST', root, { json: body, query: { dryRun: true } });
  }

  async remove(name: string): Promise<void> {
    await readText(await this.#api.transport.send('DELETE', peer(name)));
  }

  planRemove(name: string): Promise<DryRunResponse> {
    return this.#json('DELETE', peer(name), { query: { dryRun: true } });
  }

  /** These routes have a version of their own in their path. */
  async #json<T>(method: string, path: string, call?: Call): Promise<T> {
    return JSON.parse(await readText(await this.#api.transport.send(method, path, call))) as T;
  }
}

function peer(name: string): string {
  if (name.trim() === '') throw new NetyardError('invalid', 'invalid peer name: value is empty');
  return `${root}/${segmentOf(name)}`;
}
