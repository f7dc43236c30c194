/** Docker's container routes that answer with one JSON value or nothing. */
import { containerUpdate } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { LazyList } from '../http/json-pieces.ts';
import { readBoolean, readFilters, readInteger, readTerminalSize } from '../http/query.ts';
import { type RequestContext, sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { containerCreateSchema, containerUpdateSchema } from '../schemas/bodies.ts';
import { translateContainerCreate } from '../translate/container-create.ts';
import { translateContainerInspect } from '../translate/container-inspect.ts';
import { translateContainerSummary } from '../translate/container-summary.ts';
import { translateOperations } from '../translate/plan.ts';
import { readUpdate } from '../translate/resource-fields.ts';
import { reference } from './reference.ts';

export function containerRoutes(options: ApiOptions): Route[] {
  const { containers } = options.engine;
  /** Actions on a container with an empty response. */
  const verb = (name: string, work: (ref: string, exchange: RequestContext) => Promise<void>): Route =>
    route('POST', `/containers/:id/${name}`, async (exchange) => {
      await work(reference(exchange, 'id'), exchange);
      sendEmpty(exchange, 204);
    });
  return [
    route('GET', '/containers/json', list(options)),
    route('POST', '/containers/create', create(options)),
    route('GET', '/containers/:id/json', inspect(options)),
    route('POST', '/containers/:id/start', start(options)),
    route('POST', '/containers/:id/stop', stop(options)),
    verb('restart', (ref, { query }) => containers.restart(ref, readStop(query))),
    verb('kill', (ref, { query }) => containers.kill(ref, query.get('signal') || 'SIGKILL')),
    verb('pause', (ref) => containers.pause(ref)),
    verb('unpause', (ref) => containers.unpause(ref)),
    verb('rename', (ref, { query }) => containers.rename(ref, readName(query))),
    route('POST', '/containers/:id/resize', async (exchange) => {
      const { rows, columns } = readTerminalSize(exchange.query);
      await containers.resize(reference(exchange, 'id'), rows, columns);
      sendEmpty(exchange, 200);
    }),
    route('POST', '/containers/:id/update', update(options)),
    route('DELETE', '/containers/:id', remove(options)),
    route('POST', '/containers/prune', async (exchange) => {
      const { deleted, reclaimed } = await containers.prune(readFilters(exchange.query));
      sendJson(exchange, 200, { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed });
    }),
    ...processRoutes(options),
  ];
}

function processRoutes({ engine: { containers } }: ApiOptions): Route[] {
  const kinds = { modified: 0, added: 1, deleted: 2 } as const;
  return [
    route('GET', '/containers/:id/top', async (exchange) => {
      const { titles, processes } = await containers.top(
        reference(exchange, 'id'),
        exchange.query.get('ps_args') || '-ef',
      );
      sendJson(exchange, 200, { Titles: titles, Processes: processes });
    }),
    route('GET', '/containers/:id/changes', async (exchange) => {
      const changes = await containers.changes(reference(exchange, 'id'));
      sendJson(exchange, 200, new LazyList(changes, ({ path, kind }) => ({ Path: path, Kind: kinds[kind] })));
    }),
  ];
}

function list({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const { query } = exchange;
    const summaries = await engine.containers.list({
      all: readBoolean(query, 'all'),
      limit: readInteger(query, 'limit') ?? 0,
      size: readBoolean(query, 'size'),
      filters: readFilters(query),
    });
    sendJson(exchange, 200, new LazyList(summaries, translateContainerSummary));
  };
}

function inspect({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const size = readBoolean(exchange.query, 'size');
    sendJson(
      exchange,
      200,
      translateContainerInspect(await engine.containers.inspect(reference(exchange, 'id'), { size }), exchange.version),
    );
  };
}

function create({ engine, info }: ApiOptions): Handler {
  return async (exchange) => {
    const { request, query, version } = exchange;
    const body = await readJson(request, containerCreateSchema);
    const { config, warnings } = translateContainerCreate(body, version, { init: info.initByDefault });
    const platform = query.get('platform') ?? '';
    const made = await engine.containers.create({
      name: query.get('name') || undefined,
      config,
      ...(platform === '' ? {} : { platform }),
    });
    sendJson(exchange, 201, { Id: made.id, Warnings: [...warnings, ...made.warnings] });
  };
}

/** `?dryRun=1` changes nothing and answers with the network operations of a start, as shell commands. */
function start({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { query } = exchange;
    const ref = reference(exchange, 'id');
    if (readBoolean(query, 'dryRun')) {
      const { record } = await engine.containers.inspect(ref, { size: false });
      return sendJson(exchange, 200, translateOperations(await networks.planPrepare(record.id), shell));
    }
    const detachKeys = query.get('detachKeys') ?? '';
    await engine.containers.start(ref, detachKeys === '' ? {} : { detachKeys });
    sendEmpty(exchange, 204);
  };
}

/** `?dryRun=1` as above, also for DELETE. */
function stop({ engine: { containers }, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const ref = reference(exchange, 'id');
    const call = readStop(exchange.query);
    if (readBoolean(exchange.query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await containers.planStop(ref, call), shell));
    await containers.stop(ref, call);
    sendEmpty(exchange, 204);
  };
}

function readStop(query: URLSearchParams): { timeoutSeconds?: number; signal?: string } {
  const timeoutSeconds = readInteger(query, 't');
  const signal = query.get('signal') ?? '';
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal === '' ? {} : { signal }) };
}

function readName(query: URLSearchParams): string {
  const name = query.get('name') ?? '';
  if (name === '') throw new NetyardError('invalid', 'Neither old nor new names may be empty');
  return name;
}

function update({ engine }: ApiOptions): Handler {
  return async (exchange) => {
    const given = await readJson(exchange.request, containerUpdateSchema);
    const { body } = acceptFields(containerUpdate, given, exchange.version);
    const { warnings } = await engine.containers.update(reference(exchange, 'id'), readUpdate(body));
    sendJson(exchange, 200, { Warnings: warnings });
  };
}

function remove({ engine: { containers }, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { query } = exchange;
    const ref = reference(exchange, 'id');
    const call = { force: readBoolean(query, 'force'), link: readBoolean(query, 'link') };
    if (readBoolean(query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await containers.planRemove(ref, call), shell));
    await containers.remove(ref, { ...call, volumes: readBoolean(query, 'v') });
    sendEmpty(exchange, 204);
  };
}
