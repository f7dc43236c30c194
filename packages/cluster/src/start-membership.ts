/** From an endpoint to a membership that is followed: connect, join, watch. All of it or nothing. */
import { announcedAddress, type HostAddresses } from './address.ts';
import { type ApiListener, announcedApi } from './api.ts';
import { type EtcdAccess, type EtcdSession, openSession } from './etcd/session.ts';
import type { EtcdEndpoint } from './etcd/url.ts';
import { openWatch, type WatchStream } from './etcd/watch.ts';
import { type Joined, type JoinRequest, joinCluster } from './join.ts';
import { prefixOf } from './keys.ts';

export interface MembershipRequest extends Omit<JoinRequest, 'address' | 'api' | 'avoid'> {
  access: EtcdAccess;
  /** As given; found on the connection when it is not. */
  address: string | undefined;
  addresses: HostAddresses;
  listeners: readonly ApiListener[];
}

/** A connection on which this host is a member. */
export interface StartedMembership {
  session: EtcdSession;
  /** Where others reach this host. */
  address: string;
  joined: Joined;
  watch: WatchStream;
  /** Ends what goes on over the connection. */
  stop: AbortController;
}

const CONNECT_PATIENCE_MS = 5_000;

/** Rejects with NetyardError. `took` is told of the membership before the watch is there, to keep it in a file. */
export async function startMembership(
  endpoint: EtcdEndpoint,
  request: MembershipRequest,
  took: (address: string, joined: Joined) => void,
): Promise<StartedMembership> {
  const session = await openSession(endpoint, request.access, CONNECT_PATIENCE_MS);
  const stop = new AbortController();
  try {
    const address = request.address ?? (await announcedAddress(session, request.addresses, request.kept));
    const api = announcedApi(request.listeners, address);
    const place = { address, ...(api === undefined ? {} : { api }), avoid: request.addresses.prefixes() };
    const joined = await joinCluster(session, { ...request, ...place });
    took(address, joined);
    const watch = await watchSoon(session, request.cluster, joined.snapshot.revision, stop.signal);
    return { session, address, joined, watch, stop };
  } catch (error) {
    const said = session.explain(error);
    stop.abort(said);
    session.close(said);
    throw said;
  }
}

async function watchSoon(
  session: EtcdSession,
  cluster: string,
  revision: bigint,
  stop: AbortSignal,
): Promise<WatchStream> {
  const late = setTimeout(() => session.close(new Error('etcd does not take the watch')), CONNECT_PATIENCE_MS);
  try {
    return await openWatch(session, prefixOf(cluster), revision, AbortSignal.any([session.ended, stop]));
  } finally {
    clearTimeout(late);
  }
}
