/** What `openCluster` is given: the daemon's flags, checked as far as they can be without etcd. */
import { type Clock, type Logger, NetyardError, parseIp } from '@netyard/core';
import type { HostAddresses } from './address.ts';
import type { ApiListener } from './api.ts';
import type { EtcdTls } from './etcd/session.ts';
import { parseClusterUrl } from './etcd/url.ts';
import { isMemberName } from './member-name.ts';
import { checkPool, defaultPool } from './pool.ts';
import type { Pool } from './values.ts';

export interface ClusterSettings {
  /** `--cluster` */
  url: string;
  hostName: string;
  /** `--cluster-address`; found by itself when it is not there. */
  address?: string;
  /** `--cluster-subnet`, `--cluster-subnet-size`: what is not there is the cluster's, or the default. */
  pool: Partial<Pool>;
  /** The subnet of `--bip`. */
  wantedSubnet?: string;
  tls?: EtcdTls;
  /** Where this host's own API listens; the first that the others reach is announced to them. */
  api?: readonly ApiListener[];
  /** How long a host that says nothing stays a member; whole seconds. */
  leaseSeconds: number;
  /** How long its subnet is kept for it beyond that. */
  reservationSeconds: number;
}

export interface ClusterOptions {
  settings: ClusterSettings;
  /** For the two files of `kept.ts`. */
  folder: string;
  logger: Logger;
  clock: Clock;
  /** This host's real ones unless given. */
  addresses?: HostAddresses;
  /** From 0 to 1; Math.random unless given. Spreads hosts over endpoints and retries over time. */
  random?: () => number;
}

const MIN_LEASE_SECONDS = 3;
const MAX_LEASE_SECONDS = 86_400 * 365;

/** Throws `invalid`; touches nothing. */
export function checkSettings(settings: ClusterSettings): void {
  parseClusterUrl(settings.url);
  const invalid = (message: string, hint?: string): NetyardError =>
    new NetyardError('invalid', message, hint === undefined ? {} : { hint });
  if (!isMemberName(settings.hostName))
    throw invalid(
      `this host's name "${settings.hostName}" cannot be a name in a cluster`,
      'give --cluster-host-name: letters, digits, _ . -, 63 at most',
    );
  if (settings.address !== undefined) checkAddress(settings.address);
  checkPool({ ...defaultPool, ...settings.pool });
  const { certificate, key } = settings.tls ?? {};
  if ((certificate === undefined) !== (key === undefined))
    throw invalid('--cluster-cert and --cluster-key belong together');
  for (const [flag, seconds] of [
    ['--cluster-lease', settings.leaseSeconds],
    ['--cluster-reservation', settings.reservationSeconds],
  ] as const) {
    if (!Number.isInteger(seconds) || seconds < MIN_LEASE_SECONDS || seconds > MAX_LEASE_SECONDS)
      throw invalid(`${flag} ${seconds}: it is from ${MIN_LEASE_SECONDS} to ${MAX_LEASE_SECONDS} seconds`);
  }
  if (settings.reservationSeconds < settings.leaseSeconds)
    throw invalid('--cluster-reservation must not be shorter than --cluster-lease');
}

function checkAddress(address: string): void {
  try {
    if (parseIp(address).family === 4 && !/^(?:0|127|22[4-9]|2[3-5]\d)\./.test(address)) return;
  } catch {
    // said below
  }
  throw new NetyardError('invalid', `invalid --cluster-address ${address}: it is an IPv4 address of this host`);
}
