/**
 * Netyard's own route for packet captures. GET streams until the client disconnects: `curl -N … | wireshark -k -i -`.
 * With POST and `Upgrade: tcp`, the end of the client's input stops the capture, and its statistics still arrive. A
 * target on a peer is captured by the peer's daemon; its stream is forwarded unchanged.
 */
import type { Readable } from 'node:stream';
import { systemClock } from '@netyard/core';
import type { CaptureRequest } from '@netyard/sandbox';
import { pump } from '../http/pump.ts';
import { readInteger } from '../http/query.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { captureFile, pcapngType } from '../pcapng/capture-file.ts';
import { closeGracefully } from '../stream/hijack.ts';
import { apiOf, findPeerTarget, type RemoteTarget, whenGone } from './peer-api.ts';

/** TCP keep-alive detects a client that vanished without closing the connection. */
const PROBE_MS = 10_000;

interface RunningCapture {
  file: AsyncIterable<Uint8Array>;
  /** Ends the capture soon; the file still gets what was captured so far. */
  stop(): void;
}

export function captureRoutes(options: ApiOptions): Route[] {
  return [
    route('GET', '/netyard/v1/capture', async (exchange) => {
      const { file } = await open(options, exchange);
      const sink = exchange.answer.open(200, { 'Content-Type': pcapngType });
      await pump(file, sink, unchanged, exchange.signal);
      sink.end();
    }),
    route('POST', '/netyard/v1/capture', async (exchange) => {
      const { file, stop } = await open(options, exchange);
      exchange.request.socket.setKeepAlive(true, PROBE_MS);
      const connection = exchange.answer.hijack(pcapngType);
      connection.input.once('end', stop);
      connection.input.resume();
      try {
        await pump(file, connection.output, unchanged, exchange.signal);
      } finally {
        closeGracefully(connection);
      }
    }),
  ];
}

const unchanged = (piece: Uint8Array): Uint8Array => piece;

async function open(options: ApiOptions, { query, signal }: RequestContext): Promise<RunningCapture> {
  const request = readRequest(query);
  const remote = await findPeerTarget(options, request.target);
  if (remote) return await onPeer(options, remote, request, signal);
  const own = `${options.cluster?.view().hostName ?? ''}/`;
  const isOwn = own !== '/' && request.target.startsWith(own);
  const target = isOwn ? request.target.slice(own.length) : request.target;
  return await onThisHost(options, { ...request, target }, signal);
}

async function onThisHost(
  { networks, info }: ApiOptions,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<RunningCapture> {
  const session = await networks.capture(request);
  whenGone(signal, () => session.packets.close());
  const file = captureFile(session, request.filter ?? '', info, systemClock);
  return { file, stop: () => session.packets.stop() };
}

async function onPeer(
  options: ApiOptions,
  { peer, target }: RemoteTarget,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<RunningCapture> {
  const api = apiOf(options, peer, { use: 'to capture through', command: `capture ${target}` });
  const stream = await options.capturePeer(peer.record.name, api, { ...request, target }, signal);
  whenGone(signal, () => stream.destroy());
  return { file: untilBroken(stream), stop: () => stream.end() };
}

/** A broken connection ends the file; the missing last block shows that it is incomplete. */
async function* untilBroken(stream: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!stream.destroyed) throw error;
  }
}

function readRequest(query: URLSearchParams): CaptureRequest {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const options = {
    link: text('link'),
    filter: text('filter'),
    snapLength: readInteger(query, 'snapLength'),
    count: readInteger(query, 'count'),
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { target: query.get('target') ?? '', ...given };
}
