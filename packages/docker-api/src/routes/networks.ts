/** Docker's routes for networks. */
import { type Network, networkConnect, networkCreate } from '@netyard/api-types';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { LazyList, LazyMap } from '../http/json-pieces.ts';
import { readBoolean, readFilters } from '../http/query.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { acceptFields } from '../schemas/accept-fields.ts';
import { networkConnectSchema, networkCreateSchema, networkDisconnectSchema } from '../schemas/bodies.ts';
import {
  translateEndpointRequest,
  translateNetwork,
  translateNetworkCreate,
  translateUse,
} from '../translate/network.ts';
import { translateOperations } from '../translate/plan.ts';
import { reference } from './reference.ts';

export function networkRoutes(options: ApiOptions): Route[] {
  const { engine, networks } = options;
  const list: Handler = (exchange) => {
    const records = engine.networks.list(readFilters(exchange.query));
    sendJson(exchange, 200, new LazyList(records, (record): Network => translateNetwork(record)));
  };
  return [
    route('GET', '/networks', list),
    route('GET', '/networks/', list),
    route('GET', '/networks/:id', (exchange) => {
      const { record, uses } = engine.networks.get(reference(exchange, 'id'));
      sendJson(exchange, 200, { ...translateNetwork(record), Containers: new LazyMap(uses, translateUse) });
    }),
    route('POST', '/networks/create', async (exchange) => {
      const given = await readJson(exchange.request, networkCreateSchema);
      const { body } = acceptFields(networkCreate, given, exchange.version);
      const { id, warnings } = await networks.create(translateNetworkCreate(body));
      sendJson(exchange, 201, { Id: id, Warning: warnings.join('\n') });
    }),
    route('POST', '/networks/:id/connect', connect(options)),
    route('POST', '/networks/:id/disconnect', disconnect(options)),
    route('DELETE', '/networks/:id', async (exchange) => {
      await engine.networks.remove(reference(exchange, 'id'));
      sendEmpty(exchange, 204);
    }),
    route('POST', '/networks/prune', async (exchange) => {
      sendJson(exchange, 200, { NetworksDeleted: await engine.networks.prune(readFilters(exchange.query)) });
    }),
  ];
}

/** `?dryRun=1` changes nothing and answers with the operations of connecting, as shell commands. */
function connect({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const { query, request } = exchange;
    const { body } = acceptFields(networkConnect, await readJson(request, networkConnectSchema), exchange.version);
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
    const { Container, Force } = await readJson(exchange.request, networkDisconnectSchema);
    const network = reference(exchange, 'id');
    if (!readBoolean(exchange.query, 'dryRun')) {
      await engine.networks.disconnect(network, Container, Force);
      return sendEmpty(exchange, 200);
    }
    const { record } = await engine.containers.inspect(Container, { size: false });
    sendJson(exchange, 200, translateOperations(await networks.planDisconnect(network, record.id, Force), shell));
  };
}
