/** Volumes, over the API. */
import type { Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type Api, type Filters, filtersText } from './api.ts';
import { pathOf } from './transport.ts';

export class Volumes {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(filters?: Filters): Promise<VolumeListResponse> {
    return this.#api.json('GET', '/volumes', { query: { filters: filtersText(filters) } });
  }

  inspect(name: string): Promise<Volume> {
    return this.#api.json('GET', volume(name));
  }

  create(body: VolumeCreateRequest): Promise<Volume> {
    return this.#api.json('POST', '/volumes/create', { json: body });
  }

  remove(name: string, call: { force?: boolean }): Promise<void> {
    return this.#api.done('DELETE', volume(name), { query: call });
  }

  prune(filters: Filters): Promise<VolumePruneResponse> {
    return this.#api.json('POST', '/volumes/prune', { query: { filters: filtersText(filters) } });
  }
}

function volume(name: string): string {
  if (name.trim() === '') throw new NetyardError('invalid', 'invalid volume name: value is empty');
  return `/volumes/${pathOf(name)}`;
}
