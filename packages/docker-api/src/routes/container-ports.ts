/** Netyard's own routes for the ports of an existing container. */
import { portsRequest } from '@netyard/api-types';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { readBoolean } from '../http/query.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { schemaOf } from '../schemas/schema-of.ts';
import { translateOperations } from '../translate/plan.ts';
import { formatPublished, readPortsRequest } from '../translate/ports.ts';
import { reference } from './reference.ts';

const schema = schemaOf(portsRequest);

export function containerPortRoutes(options: ApiOptions): Route[] {
  const path = '/netyard/v1/containers/:id/ports';
  return [route('POST', path, addPorts(options)), route('DELETE', path, removePorts(options))];
}

function addPorts({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const ref = reference(exchange, 'id');
    const ports = readPortsRequest(await readJson(exchange.request, schema));
    if (readBoolean(exchange.query, 'dryRun')) {
      const { record } = await engine.containers.inspect(ref, { size: false });
      return sendJson(exchange, 200, translateOperations(await networks.planAddPorts(record.id, ports), shell));
    }
    const { published, warnings } = await engine.containers.addPorts(ref, ports);
    sendJson(exchange, 201, { Ports: formatPublished(published, []), Warnings: warnings });
  };
}

function removePorts({ engine, networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const ref = reference(exchange, 'id');
    const ports = readPortsRequest(await readJson(exchange.request, schema));
    if (readBoolean(exchange.query, 'dryRun')) {
      const { record } = await engine.containers.inspect(ref, { size: false });
      return sendJson(exchange, 200, translateOperations(await networks.planRemovePorts(record.id, ports), shell));
    }
    await engine.containers.removePorts(ref, ports);
    sendEmpty(exchange, 204);
  };
}
