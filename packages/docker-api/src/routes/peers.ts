/** Netyard's own routes for peers: remote hosts whose containers and ours reach each other. */
import { z } from 'zod';
import { readJson } from '../http/body.ts';
import { sendJson } from '../http/json-answer.ts';
import { readBoolean } from '../http/query.ts';
import { sendEmpty } from '../http/request-context.ts';
import { type Handler, type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { translatePeer, translatePeerRequest } from '../translate/peer.ts';
import { translateOperations } from '../translate/plan.ts';
import { reference } from './reference.ts';

const peerSchema = z.object({
  Name: z.string(),
  Address: z.string(),
  Subnets: z.array(z.string()),
  Via: z.enum(['auto', 'route', 'vxlan']).default('auto'),
  Api: z.object({ Url: z.string(), Ca: z.string(), Certificate: z.string(), Key: z.string() }).exactOptional(),
});

export function peerRoutes(options: ApiOptions): Route[] {
  const { networks } = options;
  return [
    route('GET', '/netyard/v1/peers', async (exchange) => {
      sendJson(exchange, 200, (await networks.peers()).map(translatePeer));
    }),
    route('GET', '/netyard/v1/peers/:name', async (exchange) => {
      sendJson(exchange, 200, translatePeer(await networks.peer(reference(exchange, 'name'))));
    }),
    route('POST', '/netyard/v1/peers', addPeer(options)),
    route('DELETE', '/netyard/v1/peers/:name', removePeer(options)),
  ];
}

function addPeer({ networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const body = await readJson(exchange.request, peerSchema);
    const request = translatePeerRequest(body);
    if (readBoolean(exchange.query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await networks.planAddPeer(request), shell));
    sendJson(exchange, 201, translatePeer(await networks.addPeer(request)));
  };
}

function removePeer({ networks, shell }: ApiOptions): Handler {
  return async (exchange) => {
    const name = reference(exchange, 'name');
    if (readBoolean(exchange.query, 'dryRun'))
      return sendJson(exchange, 200, translateOperations(await networks.planRemovePeer(name), shell));
    await networks.removePeer(name);
    sendEmpty(exchange, 204);
  };
}
