/** The daemon itself, its events, and Netyard's own routes, over the API. */
import type { Socket } from 'node:net';
import type {
  ChecksResponse,
  CleanupResponse,
  DiskUsageResponse,
  EventMessage,
  ExplainResponse,
  InfoResponse,
  JournalDifference,
  JournalEntry,
  PageAddress,
  VersionResponse,
} from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { type Api, type Filters, filtersText, type PingResult } from './api.ts';
import { jsonLines } from './streams.ts';
import { segmentOf } from './transport.ts';

/** A number cannot represent nanoseconds since 1970 exactly. */
export interface ExactEvent {
  event: EventMessage;
  nanoseconds: bigint;
}

function parseEvent(line: string): ExactEvent {
  let nanoseconds = 0n;
  const event: EventMessage = JSON.parse(line, (key, value: unknown, at?: { source?: string }) => {
    if (key === 'timeNano' && typeof value === 'number') nanoseconds = BigInt(at?.source ?? value);
    return value;
  });
  return { event, nanoseconds };
}

export class System {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  ping(): Promise<PingResult> {
    return this.#api.ping();
  }

  version(): Promise<VersionResponse> {
    return this.#api.json('GET', '/version');
  }

  info(): Promise<InfoResponse> {
    return this.#api.json('GET', '/info');
  }

  diskUsage(): Promise<DiskUsageResponse> {
    return this.#api.json('GET', '/system/df');
  }

  async *events(call: {
    since?: string | undefined;
    until?: string | undefined;
    filters?: Filters;
    signal?: AbortSignal;
    /** The stream is established: no event is missed from now on. */
    opened?: (connection: Socket) => void;
  }): AsyncGenerator<ExactEvent> {
    const query = { since: call.since, until: call.until, filters: filtersText(call.filters) };
    const answer = await this.#api.send('GET', '/events', { query, signal: call.signal });
    call.opened?.(answer.socket);
    yield* jsonLines<ExactEvent>(answer, parseEvent);
  }

  /** The kernel objects of a container, a network or a peer, and the script that creates them. */
  async explain(ref: string): Promise<ExplainResponse> {
    if (ref.trim() === '')
      throw new NetyardError('invalid', 'invalid name of a container, network or peer: value is empty');
    return await this.#api.own('GET', `/netyard/v1/explain/${segmentOf(ref)}`);
  }

  /** Network changes and repairs, oldest first. Times as `SECONDS[.NANOSECONDS]`. */
  async *journal(call: {
    target?: string | undefined;
    since?: string | undefined;
    until?: string | undefined;
  }): AsyncGenerator<JournalEntry> {
    yield* jsonLines<JournalEntry>(await this.#api.transport.send('GET', '/netyard/v1/journal', { query: call }));
  }

  /** How the network at one time differs from that at another. Times as `SECONDS[.NANOSECONDS]`. */
  async journalDifference(from: string, to: string | undefined): Promise<JournalDifference> {
    const answer = await this.#api.transport.send('GET', '/netyard/v1/journal/diff', { query: { from, to } });
    return JSON.parse(Buffer.concat(await answer.toArray()).toString('utf8')) as JournalDifference;
  }

  /** How the host differs from the daemon's plan. */
  checks(): Promise<ChecksResponse> {
    return this.#api.own('GET', '/netyard/v1/checks');
  }

  /** An address that opens the topology page, once. */
  page(): Promise<PageAddress> {
    return this.#api.own('POST', '/netyard/v1/page');
  }

  /** Removes what belongs to no container. */
  cleanup(call: { dryRun: boolean; unknownData?: boolean }): Promise<CleanupResponse> {
    return this.#api.own('POST', '/netyard/v1/cleanup', { query: call });
  }
}
