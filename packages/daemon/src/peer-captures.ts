/** Captures on other hosts: this daemon asks the peer's over TLS and passes on what comes. Decides nothing about links. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DaemonError, openClient } from '@netyard/client';
import { NetyardError } from '@netyard/core';
import type { ApiOptions } from '@netyard/docker-api';
import type { PeerApi } from '@netyard/network';
import { unanswered } from './peer-errors.ts';

/** For the connection and the answer whether it captures. */
const answerMilliseconds = 5000;
/** A peer that vanished without a word is noticed by probes. */
const probeMilliseconds = 5000;

export const capturePeer: ApiOptions['capturePeer'] = async (peer, api, request, signal) => {
  const client = openClient(addressOf(api));
  signal.addEventListener('abort', () => client.close(), { once: true });
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), answerMilliseconds);
  try {
    const stream = await client.captures.open({ ...request, signal: AbortSignal.any([signal, patience.signal]) });
    stream.once('close', () => client.close());
    keepAlive(stream);
    return stream;
  } catch (error) {
    client.close();
    const late = new Error(`nothing was heard within ${answerMilliseconds / 1000} seconds`);
    throw inItsName(peer, api, patience.signal.aborted ? late : error);
  } finally {
    clearTimeout(timer);
  }
};

const addressOf = ({ url, ca, certificate, key }: PeerApi): Parameters<typeof openClient>[0] => ({
  host: url,
  tls: { enabled: true, verify: true, ca, cert: certificate, key },
  env: {},
});

function keepAlive(stream: Duplex): void {
  if ('setKeepAlive' in stream) (stream as Socket).setKeepAlive(true, probeMilliseconds);
}

/** What the other daemon said is said by it; what else went wrong lies between us. */
function inItsName(peer: string, api: PeerApi, error: unknown): NetyardError {
  if (!(error instanceof DaemonError)) return unanswered(peer, api, error);
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new NetyardError(error.code, `${peer}: ${error.message}`, { ...hint, cause: error });
}
