/** Images and registries, over the API. */
import type { Readable } from 'node:stream';
import type {
  AuthConfig,
  AuthResponse,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSummary,
  JSONMessage,
} from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type Api, type Filters, filtersText } from './api.ts';
import { jsonLines } from './streams.ts';
import { pathOf } from './transport.ts';

export class Images {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(call: { all?: boolean; digests?: boolean; filters?: Filters }): Promise<ImageSummary[]> {
    const query = { all: call.all, digests: call.digests, filters: filtersText(call.filters) };
    return this.#api.json('GET', '/images/json', { query });
  }

  inspect(ref: string): Promise<ImageInspect> {
    return this.#api.json('GET', `${image(ref)}/json`);
  }

  history(ref: string): Promise<ImageHistoryItem[]> {
    return this.#api.json('GET', `${image(ref)}/history`);
  }

  /** The archive's progress; errors arrive as messages with `error`. */
  async *load(archive: Readable, call: { quiet: boolean; platform?: string | undefined }): AsyncGenerator<JSONMessage> {
    const query = { quiet: call.quiet, platform: platformJson(call.platform) };
    yield* jsonLines<JSONMessage>(await this.#api.send('POST', '/images/load', { query, body: archive }));
  }

  async *import(
    archive: Readable | undefined,
    call: { source: string; repository: string; tag: string; message?: string; changes: string[]; platform?: string },
  ): AsyncGenerator<JSONMessage> {
    const { source, repository, tag, message, changes, platform } = call;
    const query = { fromSrc: source, repo: repository, tag, message, changes, platform };
    yield* jsonLines<JSONMessage>(await this.#api.send('POST', '/images/create', { query, body: archive }));
  }

  /** `tag`: may be a digest. */
  async *pull(
    name: string,
    tag: string,
    call: { auth?: AuthConfig | undefined; platform?: string | undefined },
  ): AsyncGenerator<JSONMessage> {
    const query = { fromImage: name, tag, platform: call.platform };
    yield* jsonLines<JSONMessage>(
      await this.#api.send('POST', '/images/create', { query, headers: authHeader(call.auth) }),
    );
  }

  async *push(name: string, tag: string, call: { auth?: AuthConfig | undefined }): AsyncGenerator<JSONMessage> {
    const headers = authHeader(call.auth ?? {});
    yield* jsonLines<JSONMessage>(await this.#api.send('POST', `${image(name)}/push`, { query: { tag }, headers }));
  }

  save(refs: readonly string[], call: { platform?: string } = {}): Promise<Readable> {
    return this.#api.send('GET', '/images/get', { query: { names: refs, platform: platformJson(call.platform) } });
  }

  tag(ref: string, repository: string, tag: string): Promise<void> {
    return this.#api.done('POST', `${image(ref)}/tag`, { query: { repo: repository, tag } });
  }

  remove(ref: string, call: { force?: boolean; noPrune?: boolean }): Promise<ImageDeleteItem[]> {
    return this.#api.json('DELETE', image(ref), { query: { force: call.force, noprune: call.noPrune } });
  }

  prune(filters: Filters): Promise<ImagePruneResponse> {
    return this.#api.json('POST', '/images/prune', { query: { filters: filtersText(filters) } });
  }

  login(auth: AuthConfig): Promise<AuthResponse> {
    return this.#api.json('POST', '/auth', { json: auth });
  }
}

function image(ref: string): string {
  if (ref.trim() === '') throw new NetyardError('invalid', 'invalid reference format');
  return `/images/${pathOf(ref)}`;
}

/** The form of the API's newer parameters. Throws `invalid` unless it names system and architecture. */
function platformJson(platform: string | undefined): string | undefined {
  if (!platform) return undefined;
  const [os = '', architecture = '', variant] = platform.split('/');
  if (os === '' || architecture === '') {
    throw new NetyardError('invalid', `invalid platform: ${JSON.stringify(platform)}: give it as OS/ARCHITECTURE`);
  }
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}

const authHeader = (auth: AuthConfig | undefined): Record<string, string> =>
  auth ? { 'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString('base64url') } : {};
