/** Networks, over the API. */
import type {
  DryRunResponse,
  Network,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkPruneResponse,
} from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type Api, type Filters, filtersText } from './api.ts';
import { pathOf } from './transport.ts';

export class Networks {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(filters?: Filters): Promise<Network[]> {
    return this.#api.json('GET', '/networks', { query: { filters: filtersText(filters) } });
  }

  inspect(ref: string, call: { verbose?: boolean; scope?: string; stopped?: boolean } = {}): Promise<Network> {
    return this.#api.json('GET', network(ref), { query: call });
  }

  create(body: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    return this.#api.json('POST', '/networks/create', { json: body });
  }

  planCreate(body: NetworkCreateRequest): Promise<DryRunResponse> {
    return this.#api.json('POST', '/networks/create', { query: { dryRun: true }, json: body });
  }

  planRemove(ref: string): Promise<DryRunResponse> {
    return this.#api.json('DELETE', network(ref), { query: { dryRun: true } });
  }

  remove(ref: string): Promise<void> {
    return this.#api.done('DELETE', network(ref));
  }

  connect(ref: string, body: NetworkConnectRequest): Promise<void> {
    return this.#api.done('POST', `${network(ref)}/connect`, { json: body });
  }

  planConnect(ref: string, body: NetworkConnectRequest): Promise<DryRunResponse> {
    return this.#api.json('POST', `${network(ref)}/connect`, { query: { dryRun: true }, json: body });
  }

  planDisconnect(ref: string, body: NetworkDisconnectRequest): Promise<DryRunResponse> {
    return this.#api.json('POST', `${network(ref)}/disconnect`, { query: { dryRun: true }, json: body });
  }

  disconnect(ref: string, body: NetworkDisconnectRequest): Promise<void> {
    return this.#api.done('POST', `${network(ref)}/disconnect`, { json: body });
  }

  prune(filters: Filters): Promise<NetworkPruneResponse> {
    return this.#api.json('POST', '/networks/prune', { query: { filters: filtersText(filters) } });
  }
}

function network(ref: string): string {
  if (ref.trim() === '') throw new NetyardError('invalid', 'invalid network name or ID: value is empty');
  return `/networks/${pathOf(ref)}`;
}
