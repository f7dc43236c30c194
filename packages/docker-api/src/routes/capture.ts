/**
 * Netyard's own route for captures. By GET it streams until the client goes away: `curl -N … | wireshark -k -i -`.
 * By POST with `Upgrade: tcp` the end of the client's input ends the capture, and its counts still arrive. A target on a
 * peer is captured by the peer's daemon; what it sends is passed on as it is.
 */
import type { Readable } from 'node:stream';
import { isNetyardError, NetyardError, systemClock } from '@netyard/core';
import type { CaptureRequest, PeerState } from '@netyard/network';
import { pump } from '../http/pump.ts';
import { readInteger } from '../http/query.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type Route, route } from '../http/router.ts';
import type { ApiOptions } from '../options.ts';
import { captureFile, pcapngType } from '../pcapng/capture-file.ts';
import { closeGently } from '../stream/hijack.ts';

/** A client that vanished without a word is noticed by probes. */
const PROBE_MS = 10_000;

interface RunningCapture {
  file: AsyncIterable<Uint8Array>;
  /** Soon: what was captured up to now is still in the file. */
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
        closeGently(connection);
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

/** `PEER/NAME`; whatever else has a slash is a target on this host. */
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
    const ask = `netyard -H tcp://${address}:2376 --tlsverify capture ${target}`;
    const hint = {
      cluster: `ask its own daemon: ${ask}`,
      request: `write it down with one: netyard peer add ${name} … --api https://${address}:2376 --api-ca … --api-cert … --api-key …`,
      config: `give it one in the daemon's configuration, or ask its own daemon: ${ask}`,
    };
    throw new NetyardError('conflict', `peer ${name} has no API to capture through`, { hint: hint[peer.origin] });
  }
  const stream = await capturePeer(name, api, { ...request, target }, signal);
  whenGone(signal, () => stream.destroy());
  return { file: untilBroken(stream), stop: () => stream.end() };
}

/** A connection that breaks ends the file; its last block is missing then, and tells. */
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
  const wanted = {
    link: text('link'),
    filter: text('filter'),
    snapLength: readInteger(query, 'snapLength'),
    count: readInteger(query, 'count'),
  };
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  return { target: query.get('target') ?? '', ...given };
}
