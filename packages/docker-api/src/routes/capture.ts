/**
 * Netyard's own route for captures. By GET it streams until the client goes away: `curl -N … | wireshark -k -i -`.
 * By POST with `Upgrade: tcp` the end of the client's input ends the capture, and its counts still arrive.
 */
import { systemClock } from '@netyard/core';
import type { CaptureRequest, CaptureSession } from '@netyard/network';
import type { Exchange } from '../http/exchange.ts';
import { readInteger } from '../http/query.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { captureFile, pcapngType } from '../pcapng/capture-file.ts';
import { closeGently } from '../stream/hijack.ts';
import { pump } from '../stream/pump.ts';

export function captureRoutes({ networks, info }: ApiOptions): Route[] {
  const open = async ({
    query,
    signal,
  }: Exchange): Promise<{ session: CaptureSession; file: AsyncIterable<Buffer> }> => {
    const request = readRequest(query);
    const session = await networks.capture(request);
    const end = (): void => session.packets.close();
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    return { session, file: captureFile(session, request.filter ?? '', info, systemClock) };
  };
  return [
    route('GET', '/netyard/v1/capture', async (exchange) => {
      const { file } = await open(exchange);
      const sink = exchange.answer.open(200, { 'Content-Type': pcapngType });
      await pump(file, sink, asItIs, exchange.signal);
      sink.end();
    }),
    route('POST', '/netyard/v1/capture', async (exchange) => {
      const { session, file } = await open(exchange);
      const connection = exchange.answer.hijack(pcapngType);
      connection.input.once('end', () => session.packets.stop());
      connection.input.resume();
      try {
        await pump(file, connection.output, asItIs, exchange.signal);
      } finally {
        closeGently(connection);
      }
    }),
  ];
}

const asItIs = (piece: Buffer): Buffer => piece;

function readRequest(query: URLSearchParams): CaptureRequest {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const wanted = {
    link: text('link'),
    filter: text('filter'),
    snapLength: readInteger(query, 'snapLength'),
    count: readInteger(query, 'count'),
  };
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  return { target: query.get('target') ?? '', ...given };
}
