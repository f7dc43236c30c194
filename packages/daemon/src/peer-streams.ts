/**
 * Packet captures and traces on other hosts: queries the peer's daemon over TLS and passes on the data. Makes no decisions
 * about links.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DaemonError, type NetyardClient, openClient } from '@netyard/client';
import { NetyardError } from '@netyard/core';
import type { ApiOptions } from '@netyard/docker-api';
import type { PeerApi } from '@netyard/peers';
import { unanswered } from './peer-errors.ts';

/** Timeout of the connection and of the response. */
const answerMilliseconds = 5000;
/** TCP keepalive detects a peer that vanished. */
const probeMilliseconds = 5000;

export const capturePeer: ApiOptions['capturePeer'] = (peer, api, request, signal) =>
  openStream(peer, api, signal, (client, until) => client.captures.open({ ...request, signal: until }));

export const tracePeer: ApiOptions['tracePeer'] = (peer, api, request, signal) =>
  openStream(peer, api, signal, (client, until) => client.traces.open({ ...request, signal: until }));

async function openStream(
  peer: string,
  api: PeerApi,
  signal: AbortSignal,
  open: (client: NetyardClient, signal: AbortSignal) => Promise<Duplex>,
): Promise<Duplex> {
  const client = openClient(addressOf(api));
  signal.addEventListener('abort', () => client.close(), { once: true });
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), answerMilliseconds);
  try {
    const stream = await open(client, AbortSignal.any([signal, timeout.signal]));
    stream.once('close', () => client.close());
    keepAlive(stream);
    return stream;
  } catch (error) {
    client.close();
    const late = new Error(`no response within ${answerMilliseconds / 1000} seconds`);
    throw inItsName(peer, api, timeout.signal.aborted ? late : error);
  } finally {
    clearTimeout(timer);
  }
}

const addressOf = ({ url, ca, certificate, key }: PeerApi): Parameters<typeof openClient>[0] => ({
  host: url,
  tls: { enabled: true, verify: true, ca, cert: certificate, key },
  env: {},
});

function keepAlive(stream: Duplex): void {
  if ('setKeepAlive' in stream) (stream as Socket).setKeepAlive(true, probeMilliseconds);
}

/** Attributes the other daemon's errors to it; all other errors concern the connection. */
function inItsName(peer: string, api: PeerApi, error: unknown): NetyardError {
  if (!(error instanceof DaemonError)) return unanswered(peer, api, error);
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new NetyardError(error.code, `${peer}: ${error.message}`, { ...hint, cause: error });
}
