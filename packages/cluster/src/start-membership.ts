/** Starts a membership at an endpoint: connect, join, watch. Closes the connection when a step fails. */
import { formatIp, parseIp } from '@netyard/core';
import { announcedAddress, type HostAddresses } from './address.ts';
import { type ApiListener, announcedApi } from './api.ts';
import type { Entry } from './etcd/list.ts';
import { type EtcdAccess, type EtcdSession, openSession } from './etcd/session.ts';
import type { ClusterUrl, EtcdEndpoint } from './etcd/url.ts';
import { openWatch, type WatchStream } from './etcd/watch.ts';
import { type Joined, type JoinRequest, joinCluster } from './join.ts';
import { prefixOf } from './keys.ts';
import { restoreNetworks } from './network-changes.ts';
import type { ClusterSettings } from './options.ts';

export interface MembershipRequest extends Omit<JoinRequest, 'address' | 'api' | 'avoid'> {
  access: EtcdAccess;
  /** The configured address; undefined: determined from the connection. */
  address: string | undefined;
  addresses: HostAddresses;
  listeners: readonly ApiListener[];
  /** The networks that this host knew as a member; written again when etcd has lost its data. */
  networks: readonly Entry[];
}

/** A connection on which this host is a member. */
export interface StartedMembership {
  session: EtcdSession;
  /** Address under which other hosts reach this host. */
  address: string;
  joined: Joined;
  watch: WatchStream;
  /** Ends the streams of the connection. */
  stop: AbortController;
}

/** The part of a request that is the same for each connection. */
export function settledRequest(
  settings: ClusterSettings,
  { name: cluster, user }: ClusterUrl,
): Omit<MembershipRequest, 'id' | 'bound' | 'now' | 'lastSubnet' | 'addresses' | 'networks'> {
  const { leaseSeconds, reservationSeconds, hostName, pool, requiredSubnet, address, tls } = settings;
  return {
    ...{ cluster, hostName, pool, leaseSeconds, reservationSeconds, address, listeners: settings.api ?? [] },
    ...(requiredSubnet === undefined ? {} : { requiredSubnet }),
    access: { ...(user ? { user } : {}), ...(tls ? { tls } : {}) },
  };
}

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Whether a membership has to be started again, as this host has lost the address of the connection, or would announce
 * another one.
 * @param own this host's addresses
 */
export async function hasAddressChanged(
  { session, address }: StartedMembership,
  own: readonly string[],
  request: Pick<MembershipRequest, 'address' | 'addresses' | 'lastSubnet'>,
): Promise<boolean> {
  const local = session.localAddress() ?? '';
  if (local !== '' && !local.startsWith('127.') && !own.includes(local)) return true;
  if (request.address !== undefined) return false;
  const now = await announcedAddress(session, request.addresses, request.lastSubnet).catch(() => address);
  return now !== address;
}

/** Rejects with NetyardError. `onJoined` is called before the watch is opened, to save the membership to a file. */
export async function startMembership(
  endpoint: EtcdEndpoint,
  request: MembershipRequest,
  onJoined: (address: string, joined: Joined) => void,
): Promise<StartedMembership> {
  const session = await openSession(endpoint, request.access, CONNECT_TIMEOUT_MS);
  const stop = new AbortController();
  try {
    const given = request.address ?? (await announcedAddress(session, request.addresses, request.lastSubnet));
    const address = formatIp(parseIp(given));
    const api = announcedApi(request.listeners, address);
    const location = { address, ...(api === undefined ? {} : { api }), avoid: request.addresses.prefixes() };
    const joined = await joinCluster(session, { ...request, ...location });
    onJoined(address, joined);
    if (joined.isFirst) joined.snapshot.entries.push(...(await restoreNetworks(session, request.networks)));
    const watch = await openWatchWithTimeout(session, request.cluster, joined.snapshot.revision, stop.signal);
    return { session, address, joined, watch, stop };
  } catch (error) {
    const reason = session.explain(error);
    stop.abort(reason);
    session.close(reason);
    throw reason;
  }
}

async function openWatchWithTimeout(
  session: EtcdSession,
  cluster: string,
  revision: bigint,
  stop: AbortSignal,
): Promise<WatchStream> {
  const late = setTimeout(() => session.close(new Error('etcd did not create the watch in time')), CONNECT_TIMEOUT_MS);
  try {
    return await openWatch(session, prefixOf(cluster), revision, AbortSignal.any([session.ended, stop]));
  } finally {
    clearTimeout(late);
  }
}
