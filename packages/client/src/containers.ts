/** Containers and exec processes, over the API. */
import type { Readable } from 'node:stream';
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspect,
  ContainerPathStat,
  ContainerPruneResponse,
  ContainerStats,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  DryRunResponse,
  ExecCreateRequest,
  ExecCreateResponse,
  ExecInspect,
  ExecStartRequest,
  FilesystemChange,
  PortsAdded,
  PortsRequest,
} from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type Api, type Filters, filtersText } from './api.ts';
import { jsonLines } from './streams.ts';
import { type Hijacked, pathOf, readText } from './transport.ts';
import { compareVersions } from './version.ts';

export interface AttachCall {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  logs?: boolean;
  detachKeys?: string | undefined;
}

export interface LogsCall {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  details?: boolean;
  since?: string | undefined;
  until?: string | undefined;
  tail?: string | undefined;
}

export interface CommitCall {
  repository: string;
  tag: string;
  comment: string;
  author: string;
  pause: boolean;
  changes: readonly string[];
}

export class Containers {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  list(call: {
    all?: boolean;
    limit?: number | undefined;
    size?: boolean;
    filters?: Filters;
  }): Promise<ContainerSummary[]> {
    const query = { all: call.all, limit: call.limit, size: call.size, filters: filtersText(call.filters) };
    return this.#api.json('GET', '/containers/json', { query });
  }

  async create(
    body: ContainerCreateRequest,
    call: { name?: string; platform?: string },
  ): Promise<ContainerCreateResponse> {
    // From 1.44 on a MAC address belongs to an endpoint; one for the whole container causes a warning.
    const old = compareVersions(await this.#api.version(), '1.44') < 0;
    const { MacAddress: _mac, ...rest } = body;
    return await this.#api.json('POST', '/containers/create', { query: call, json: old ? body : rest });
  }

  /** An image of the container's changes. */
  async commit(ref: string, call: CommitCall): Promise<string> {
    const { repository, ...rest } = call;
    const query = { container: ref, repo: repository, ...rest };
    return (await this.#api.json<{ Id: string }>('POST', '/commit', { query })).Id;
  }

  inspect(ref: string, call: { size?: boolean; signal?: AbortSignal } = {}): Promise<ContainerInspect> {
    return this.#api.json('GET', `${container(ref)}/json`, { query: { size: call.size }, signal: call.signal });
  }

  start(ref: string, call: { detachKeys?: string | undefined } = {}): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/start`, { query: call });
  }

  /** What a start would do; changes nothing. */
  planStart(ref: string): Promise<DryRunResponse> {
    return this.#api.json('POST', `${container(ref)}/start`, { query: { dryRun: true } });
  }

  stop(ref: string, call: { timeout?: number | undefined; signal?: string | undefined }): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/stop`, { query: { t: call.timeout, signal: call.signal } });
  }

  /** What stop and remove would do to the network; changes nothing. */
  planStop(ref: string, call: { signal?: string | undefined }): Promise<DryRunResponse> {
    return this.#api.json('POST', `${container(ref)}/stop`, { query: { signal: call.signal, dryRun: true } });
  }

  planRemove(ref: string, call: { force?: boolean; link?: boolean }): Promise<DryRunResponse> {
    return this.#api.json('DELETE', container(ref), { query: { ...call, dryRun: true } });
  }

  restart(ref: string, call: { timeout?: number | undefined; signal?: string | undefined }): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/restart`, { query: { t: call.timeout, signal: call.signal } });
  }

  kill(ref: string, signal: string): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/kill`, { query: { signal } });
  }

  pause(ref: string): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/pause`);
  }

  unpause(ref: string): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/unpause`);
  }

  rename(ref: string, name: string): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/rename`, { query: { name } });
  }

  remove(ref: string, call: { force?: boolean; volumes?: boolean; link?: boolean }): Promise<void> {
    return this.#api.done('DELETE', container(ref), { query: { force: call.force, v: call.volumes, link: call.link } });
  }

  update(ref: string, body: ContainerUpdateRequest): Promise<ContainerUpdateResponse> {
    return this.#api.json('POST', `${container(ref)}/update`, { json: body });
  }

  /** Resolves with the response's head, once the wait is registered; `done` resolves with its body. */
  async wait(
    ref: string,
    condition?: 'not-running' | 'next-exit' | 'removed',
    signal?: AbortSignal,
  ): Promise<{ done: Promise<ContainerWaitResponse> }> {
    const answer = await this.#api.send('POST', `${container(ref)}/wait`, { query: { condition }, signal });
    const done = readText(answer, this.#api.transport.maxAnswer).then((text) => {
      if (text === '') throw new NetyardError('unavailable', 'the connection to the daemon was lost during the wait');
      return JSON.parse(text) as ContainerWaitResponse;
    });
    done.catch(() => undefined); // reported to the awaiting caller; there may be none yet
    return { done };
  }

  attach(ref: string, call: AttachCall): Promise<Hijacked> {
    return this.#api.hijack(`${container(ref)}/attach`, { query: { ...call, stream: true } });
  }

  addPorts(ref: string, body: PortsRequest): Promise<PortsAdded> {
    return this.#api.own('POST', portsOf(ref), { json: body });
  }

  planAddPorts(ref: string, body: PortsRequest): Promise<DryRunResponse> {
    return this.#api.own('POST', portsOf(ref), { json: body, query: { dryRun: true } });
  }

  async removePorts(ref: string, body: PortsRequest): Promise<void> {
    await readText(
      await this.#api.transport.send('DELETE', portsOf(ref), { json: body }),
      this.#api.transport.maxAnswer,
    );
  }

  planRemovePorts(ref: string, body: PortsRequest): Promise<DryRunResponse> {
    return this.#api.own('DELETE', portsOf(ref), { json: body, query: { dryRun: true } });
  }

  resize(ref: string, rows: number, columns: number): Promise<void> {
    return this.#api.done('POST', `${container(ref)}/resize`, { query: { h: rows, w: columns } });
  }

  logs(ref: string, call: LogsCall, signal?: AbortSignal): Promise<Readable> {
    return this.#api.send('GET', `${container(ref)}/logs`, { query: { ...call }, signal });
  }

  top(ref: string, psArguments: string): Promise<ContainerTopResponse> {
    return this.#api.json('GET', `${container(ref)}/top`, { query: { ps_args: psArguments } });
  }

  /** Samples until the signal, or one (with the previous one, unless `oneShot`) when not streaming. */
  async *stats(ref: string, call: { stream: boolean; signal?: AbortSignal }): AsyncGenerator<ContainerStats> {
    const query = { stream: call.stream ? '1' : '0' };
    yield* jsonLines<ContainerStats>(
      await this.#api.send('GET', `${container(ref)}/stats`, { query, signal: call.signal }),
    );
  }

  changes(ref: string): Promise<FilesystemChange[] | null> {
    return this.#api.json('GET', `${container(ref)}/changes`);
  }

  export(ref: string): Promise<Readable> {
    return this.#api.send('GET', `${container(ref)}/export`);
  }

  async statPath(ref: string, path: string): Promise<ContainerPathStat> {
    const answer = await this.#api.send('HEAD', `${container(ref)}/archive`, { query: { path } });
    await readText(answer, this.#api.transport.maxAnswer);
    return pathStat(answer.headers['x-docker-container-path-stat']);
  }

  async readArchive(ref: string, path: string): Promise<{ stat: ContainerPathStat; stream: Readable }> {
    const answer = await this.#api.send('GET', `${container(ref)}/archive`, { query: { path } });
    return { stat: pathStat(answer.headers['x-docker-container-path-stat']), stream: answer };
  }

  writeArchive(ref: string, path: string, body: Readable, call: { copyUidGid?: boolean }): Promise<void> {
    const query = { path, noOverwriteDirNonDir: 'true', copyUIDGID: call.copyUidGid ? 'true' : undefined };
    return this.#api.done('PUT', `${container(ref)}/archive`, { query, body });
  }

  prune(filters: Filters): Promise<ContainerPruneResponse> {
    return this.#api.json('POST', '/containers/prune', { query: { filters: filtersText(filters) } });
  }

  createExec(ref: string, body: ExecCreateRequest): Promise<ExecCreateResponse> {
    return this.#api.json('POST', `${container(ref)}/exec`, { json: body });
  }

  startExec(id: string, body: ExecStartRequest): Promise<void> {
    return this.#api.done('POST', `/exec/${id}/start`, { json: body });
  }

  attachExec(id: string, body: ExecStartRequest): Promise<Hijacked> {
    return this.#api.hijack(`/exec/${id}/start`, { json: body });
  }

  inspectExec(id: string): Promise<ExecInspect> {
    return this.#api.json('GET', `/exec/${id}/json`);
  }

  resizeExec(id: string, rows: number, columns: number): Promise<void> {
    return this.#api.done('POST', `/exec/${id}/resize`, { query: { h: rows, w: columns } });
  }
}

function container(ref: string): string {
  if (ref.trim() === '') throw new NetyardError('invalid', 'invalid container name or ID: value is empty');
  return `/containers/${pathOf(ref)}`;
}

const portsOf = (ref: string): string => `/netyard/v1${container(ref)}/ports`;

function pathStat(header: string | string[] | undefined): ContainerPathStat {
  const text = Buffer.from(String(header ?? ''), 'base64').toString('utf8');
  if (text === '') throw new NetyardError('internal', 'unable to decode container path stat header: it is missing');
  return JSON.parse(text) as ContainerPathStat;
}
