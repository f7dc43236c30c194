/** Docker's routes for networks. */
import { type Network, networkConnect, networkCreate } from '@netyard/api-types';
import { isNetyardError, NetyardError } from '@netyard/core';
import { readOptionalJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { LazyList, LazyMap } from '../http/json-pieces.ts';
import { readBoolean, readFilters, readGoBoolean } from '../http/query.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { networkConnectSchema, networkCreateSchema, networkDisconnectSchema } from '../schemas/bodies.ts';
import {
  scopeOf,
  translateEndpointRequest,
  translateNetwork,
  translateStopped,
  translateSubnetUse,
  translateUse,
} from '../translate/network.ts';
import { translateNetworkCreate } from '../translate/network-create.ts';
import { translateOperations } from '../translate/plan.ts';
import { speaks } from '../versions.ts';
import { reference } from './reference.ts';

export function networkRoutes(options: ApiOptions): Route[] {
  const { engine } = options;
  const list: Handler = (exchange) => {
    const records = engine.networks.list(readFilters(exchange.query));
    const withContainers = !speaks(exchange.version, 28);
    const translate = (record: (typeof records)[number]): Network =>
      translateNetwork(record, withContainers ? usesOf(options, record.id) : []);
    sendJson(exchange, 200, new LazyList(records, translate));
  };
  return [
    route('GET', '/networks', list),
    route('GET', '/networks/', list),
    route('GET', '/networks/:id', inspect(options)),
    route('POST', '/networks/create', create(options)),
    route('POST', '/networks/:id/connect', connect(options)),
    route('POST', '/networks/:id/disconnect', disconnect(options)),
    route('DELETE', '/networks/:id', remove(options)),
    route('POST', '/networks/prune', async (exchange) => {
      const removed = await engine.networks.prune(readFilters(exchange.query));
      sendJson(exchange, 200, { NetworksDeleted: removed.length > 0 ? removed : null });
    }),
  ];
}

/** None of a network that was removed while a long list is written. */
function usesOf({ engine }: ApiOptions, id: string): ReturnType<typeof engine.networks.get>['uses'] {
  try {
    return engine.networks.get(id).uses;
  } catch (error) {
    if (isNetyardError(error, 'not-found')) return [];
    throw error;
  }
}

/**
 * As in Docker, `Containers` are the running ones of this host; `?stopped=1` adds the field `StoppedContainers`. `verbose`
 * shows details of Swarm's services only.
 */
function inspect({ engine, networks }: ApiOptions): Handler {
  return (exchange) => {
    const { query } = exchange;
    readGoBoolean(query, 'verbose');
    const ref = reference(exchange, 'id');
    const { record, uses, stopped } = engine.networks.get(ref);
    if (!['', scopeOf(record)].includes(query.get('scope') ?? ''))
      throw new NetyardError('not-found', `network ${ref} not found`);
    const more = readBoolean(query, 'stopped') ? { StoppedContainers: new LazyMap(stopped(), translateStopped) } : {};
    const status = speaks(exchange.version, 52) ? { Status: translateSubnetUse(networks.subnetUse(record.id)) } : {};
    const containers = new LazyMap(uses, translateUse);
    sendJson(exchange, 200, { ...translateNetwork(record), Containers: containers, ...status, ...more });
  };
}

/** `?dryRun=1` changes nothing and answers with the operations of creating, as shell commands. */
function create({ networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { request, query, version } = exchange;
    const given = await readOptionalJson(request, networkCreateSchema);
    const { body, warnings } = acceptFields(networkCreate, given, version);
    const asked = translateNetworkCreate(body);
    if (readBoolean(query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await networks.planCreate(asked), shell));
    const created = await networks.create(asked);
    sendJson(exchange, 201, { Id: created.id, Warning: [...warnings, ...created.warnings].join('\n') });
  };
}

/** `?dryRun=1` as above. */
function remove({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const ref = reference(exchange, 'id');
    if (readBoolean(exchange.query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await networks.planRemove(ref), shell));
    await engine.networks.remove(ref);
    sendEmpty(exchange, 204);
  };
}

/** `?dryRun=1` as above. */
function connect({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, request } = exchange;
    const { body } = acceptFields(
      networkConnect,
      await readOptionalJson(request, networkConnectSchema),
      exchange.version,
    );
    const network = reference(exchange, 'id');
    const endpoint = translateEndpointRequest(network, body.EndpointConfig);
    if (!readBoolean(query, 'dryRun')) {
      await engine.networks.connect(network, body.Container, endpoint);
      return sendEmpty(exchange, 200);
    }
    const { record } = await engine.containers.inspect(body.Container, { size: false });
    sendJson(exchange, 200, translateOperations(await networks.planConnect(network, record.id, endpoint), shell));
  };
}

/** `?dryRun=1` as above. */
function disconnect({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { Container, Force } = await readOptionalJson(exchange.request, networkDisconnectSchema);
    const network = reference(exchange, 'id');
    if (!readBoolean(exchange.query, 'dryRun')) {
      await engine.networks.disconnect(network, Container, Force);
      return sendEmpty(exchange, 200);
    }
    const { record } = await engine.containers.inspect(Container, { size: false });
    sendJson(exchange, 200, translateOperations(await networks.planDisconnect(network, record.id, Force), shell));
  };
}
