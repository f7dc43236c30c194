/** The cluster of the daemon's host, over Netyard's own routes. */
import type { ClusterHostInfo, ClusterInfo, ClusterReleaseResponse } from '@netyard/api-types';
import type { Api } from './api.ts';
import { type Call, readText } from './transport.ts';

const root = '/netyard/v1/cluster';

export class ClusterCalls {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  info(): Promise<ClusterInfo> {
    return this.#json('GET', root);
  }

  hosts(): Promise<ClusterHostInfo[]> {
    return this.#json('GET', `${root}/hosts`);
  }

  async leave(): Promise<void> {
    await readText(await this.#api.transport.send('POST', `${root}/leave`), this.#api.transport.maxAnswer);
  }

  /** Releases what is reserved for a host that is gone. */
  release(host: string): Promise<ClusterReleaseResponse> {
    return this.#json('POST', `${root}/release`, { json: { Host: host } });
  }

  /** These routes have a version of their own in their path. */
  async #json<T>(method: string, path: string, call?: Call): Promise<T> {
    return JSON.parse(
      await readText(await this.#api.transport.send(method, path, call), this.#api.transport.maxAnswer),
    ) as T;
  }
}
