/** Peers, over Netyard's own routes. */
import type { DryRunResponse, Peer, PeerAddRequest } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import type { Api } from './api.ts';
import { readText, segmentOf } from './transport.ts';

const root = '/netyard/v1/peers';

export class Peers {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(): Promise<Peer[]> {
    return this.#api.own('GET', root);
  }

  inspect(name: string): Promise<Peer> {
    return this.#api.own('GET', peer(name));
  }

  add(body: PeerAddRequest): Promise<Peer> {
    return this.#api.own('POST', root, { json: body });
  }

  planAdd(body: PeerAddRequest): Promise<DryRunResponse> {
    return this.#api.own('POST', root, { json: body, query: { dryRun: true } });
  }

  async remove(name: string): Promise<void> {
    await readText(await this.#api.transport.send('DELETE', peer(name)), this.#api.transport.maxAnswer);
  }

  planRemove(name: string): Promise<DryRunResponse> {
    return this.#api.own('DELETE', peer(name), { query: { dryRun: true } });
  }
}

function peer(name: string): string {
  if (name.trim() === '') throw new NetyardError('invalid', 'invalid peer name: value is empty');
  return `${root}/${segmentOf(name)}`;
}
