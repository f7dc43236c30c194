/**
 * Netyard's own route for traces across hosts: observes one flow of another host's probe on this host, as long as the
 * connection is open and for some seconds at most. With `peer`, the peer's daemon observes; its connection is forwarded.
 */
import type { Duplex } from 'node:stream';
import { NetyardError, tryParseIp } from '@netyard/core';
import type { Connection } from '../http/connection.ts';
import { readInteger } from '../http/query.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions, FlowRequest } from '../options.ts';
import { closeGracefully } from '../stream/hijack.ts';
import { apiOf, whenGone } from './peer-api.ts';

/** TCP keep-alive detects a host that vanished without closing the connection. */
const PROBE_MS = 5_000;
const jsonLines = 'application/x-ndjson';

export function traceRoutes(options: ApiOptions): Route[] {
  const { networks, tracePeer, openFlow } = options;
  return [
    route('POST', '/netyard/v1/trace', async ({ query, request, answer, signal }) => {
      const flow = readFlow(query);
      request.socket.setKeepAlive(true, PROBE_MS);
      const name = query.get('peer') ?? '';
      if (name !== '') {
        const peer = await networks.peer(name);
        const api = apiOf(options, peer, { use: 'to trace through', command: 'trace FROM TO' });
        const stream = await tracePeer(name, api, flow, signal);
        whenGone(signal, () => stream.destroy());
        return await forward(answer.hijack(jsonLines), stream);
      }
      const session = await openFlow(flow);
      whenGone(signal, () => session.close());
      const connection = answer.hijack(jsonLines);
      try {
        await session.serve(connection);
      } finally {
        closeGracefully(connection);
      }
    }),
  ];
}

/** Until either side ends. */
async function forward(connection: Connection, stream: Duplex): Promise<void> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  for (const side of [connection.input, connection.output, stream]) side.on('error', () => resolve());
  for (const event of ['end', 'close'] as const) {
    stream.once(event, resolve);
    connection.input.once(event, resolve);
  }
  connection.input.pipe(stream);
  stream.pipe(connection.output, { end: false });
  await ended;
  stream.destroy();
  closeGracefully(connection);
}

const protocols = ['tcp', 'udp', 'icmp'] as const;
const maxTarget = 256;

function readFlow(query: URLSearchParams): FlowRequest {
  const target = query.get('target') ?? '';
  const protocol = protocols.find((each) => each === query.get('protocol'));
  const port = readInteger(query, 'port');
  if (target === '' || (target.length > maxTarget && tryParseIp(target) === undefined))
    throw new NetyardError('invalid', `invalid target of a trace: ${JSON.stringify(target.slice(0, maxTarget))}`);
  if (protocol === undefined)
    throw new NetyardError('invalid', `invalid protocol of a trace: ${JSON.stringify(query.get('protocol'))}`);
  const isPort = port === undefined ? protocol === 'icmp' : protocol !== 'icmp' && port > 0 && port < 65_536;
  if (!isPort) throw new NetyardError('invalid', `invalid port of a trace over ${protocol}: ${port}`);
  return { target, protocol, ...(port === undefined ? {} : { port }) };
}
