/** The API of a peer, for requests that its daemon answers: captures and traces. */
import { isNetyardError, NetyardError, urlHost } from '@netyard/core';
import type { PeerApi, PeerState } from '@netyard/peers';
import type { ApiOptions } from '../options.ts';

export interface RemoteTarget {
  peer: PeerState;
  target: string;
}

/** Finds the peer of `PEER/NAME`; any other target with a slash is on this host. */
export async function findPeerTarget({ networks }: ApiOptions, target: string): Promise<RemoteTarget | undefined> {
  const [, name, rest] = /^([^/]+)\/(.+)$/s.exec(target) ?? [];
  if (name === undefined || rest === undefined) return undefined;
  try {
    return { peer: await networks.peer(name), target: rest };
  } catch (error) {
    if (isNetyardError(error, 'not-found')) return undefined;
    throw error;
  }
}

/**
 * Throws `conflict` for a peer without an API; the message ends with `use`. `command`: the same on the peer's own daemon.
 */
export function apiOf(
  { clusterApi }: ApiOptions,
  { record, origin }: PeerState,
  { use, command }: { use: string; command: string },
): PeerApi {
  const { name, address } = record;
  const api = record.api ?? (origin === 'cluster' ? clusterApi?.(name) : undefined);
  if (api) return api;
  const verb = command.split(' ')[0];
  const ask = `${verb} through the peer's own daemon: netyard -H tcp://${urlHost(address)}:2376 --tlsverify ${command}`;
  const hint = {
    cluster: ask,
    request: `add it with an API: netyard peer add ${name} … --api https://${urlHost(address)}:2376 --api-ca … --api-cert … --api-key …`,
    config: `add its API to the daemon's configuration, or ${ask}`,
  };
  throw new NetyardError('conflict', `peer ${name} has no API ${use}`, { hint: hint[origin] });
}

export function whenGone(signal: AbortSignal, end: () => void): void {
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
}
