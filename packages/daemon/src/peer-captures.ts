/** Captures on other hosts: this daemon asks the peer's over TLS and passes on what comes. Decides nothing about links. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DaemonError, openClient } from '@netyard/client';
import { messageOf, NetyardError } from '@netyard/core';
import type { ApiOptions } from '@netyard/docker-api';
import type { PeerApi } from '@netyard/network';

/** A peer that vanished without a word is noticed by probes. */
const probeMilliseconds = 5000;

export const capturePeer: ApiOptions['capturePeer'] = async (peer, api, request, signal) => {
  const client = openClient(addressOf(api));
  signal.addEventListener('abort', () => client.close(), { once: true });
  try {
    const stream = await client.captures.open({ ...request, signal });
    stream.once('close', () => client.close());
    keepAlive(stream);
    return stream;
  } catch (error) {
    client.close();
    throw inItsName(peer, api, error);
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
  const cause = { cause: error };
  if (error instanceof DaemonError) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new NetyardError(error.code, `${peer}: ${error.message}`, { ...hint, ...cause });
  }
  return new NetyardError('unavailable', `the API of peer ${peer} does not answer: ${messageOf(error)}`, {
    hint: `see whether ${api.url} listens with --tlsverify and knows the authority of ${api.certificate}`,
    ...cause,
  });
}
