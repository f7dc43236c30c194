/**
 * Netyard's own route for packet captures. GET streams until the client disconnects: `curl -N … | wireshark -k -i -`.
 * With POST and `Upgrade: tcp`, the end of the client's input stops the capture, and its statistics still arrive. A
 * target on a peer is captured by the peer's daemon; its stream is forwarded unchanged.
 */
import type { Readable } from 'node:stream';
import { isNetyardError, NetyardError, systemClock, urlHost } from '@netyard/core';
import type { PeerState } from '@netyard/peers';
import type { CaptureRequest } from '@netyard/sandbox';
import { pump } from '../http/pump.ts';
import { readInteger } from '../http/query.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { captureFile, pcapngType } from '../pcapng/capture-file.ts';
import { closeGracefully } from '../stream/hijack.ts';

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
  const remote = await findPeer(options, request.target);
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

interface RemoteTarget {
  peer: PeerState;
  target: string;
}

/** Finds the peer of `PEER/NAME`; any other target with a slash is on this host. */
async function findPeer({ networks }: ApiOptions, target: string): Promise<RemoteTarget | undefined> {
  const [, name, rest] = /^([^/]+)\/(.+)$/s.exec(target) ?? [];
  if (name === undefined || rest === undefined) return undefined;
  try {
    return { peer: await networks.peer(name), target: rest };
  } catch (error) {
    if (isNetyardError(error, 'not-found')) return undefined;
    throw error;
  }
}

async function onPeer(
  { capturePeer, clusterApi }: ApiOptions,
  { peer, target }: RemoteTarget,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<RunningCapture> {
  const { name, address } = peer.record;
  const api = peer.record.api ?? (peer.origin === 'cluster' ? clusterApi?.(name) : undefined);
  if (!api) {
    const ask = `netyard -H tcp://${urlHost(address)}:2376 --tlsverify capture ${target}`;
    const hint = {
      cluster: `capture through the peer's own daemon: ${ask}`,
      request: `add it with an API: netyard peer add ${name} … --api https://${urlHost(address)}:2376 --api-ca … --api-cert … --api-key …`,
      config: `add its API to the daemon's configuration, or capture through the peer's own daemon: ${ask}`,
    };
    throw new NetyardError('conflict', `peer ${name} has no API to capture through`, { hint: hint[peer.origin] });
  }
  const stream = await capturePeer(name, api, { ...request, target }, signal);
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

function whenGone(signal: AbortSignal, end: () => void): void {
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
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
