/** Options of `openCluster`: the daemon's flags, validated as far as possible without etcd. */
import { type Clock, type Logger, NetyardError, tryParseIp } from '@netyard/core';
import { type HostAddresses, isReachable } from './address.ts';
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
  /** `--cluster-address`; determined automatically when omitted. */
  address?: string;
  /** `--cluster-subnet`, `--cluster-subnet-size`; omitted fields are taken from the cluster, or from the default. */
  pool: Partial<Pool>;
  /** The subnet of `--bip`: join with this one or fail. */
  requiredSubnet?: string;
  tls?: EtcdTls;
  /** Listeners of this host's API; the first that other hosts can reach is announced. */
  api?: readonly ApiListener[];
  /** How long a host stays a member without renewing its lease; whole seconds. */
  leaseSeconds: number;
  /** How long its subnet stays reserved without renewal. */
  reservationSeconds: number;
}

export interface ClusterOptions {
  settings: ClusterSettings;
  /** Folder of the two files of `membership-file.ts`. */
  folder: string;
  logger: Logger;
  clock: Clock;
  /** Default: this host's real addresses. */
  addresses?: HostAddresses;
  /** Returns numbers from 0 to 1; default Math.random. Spreads hosts over endpoints and retries over time. */
  random?: () => number;
}

const MIN_LEASE_SECONDS = 3;
const MAX_LEASE_SECONDS = 86_400 * 365;

/** Validates settings. Throws `invalid`; changes nothing. */
export function checkSettings(settings: ClusterSettings): void {
  parseClusterUrl(settings.url);
  const invalid = (message: string, hint?: string): NetyardError =>
    new NetyardError('invalid', message, hint === undefined ? {} : { hint });
  if (!isMemberName(settings.hostName))
    throw invalid(
      `invalid host name "${settings.hostName}" for a cluster`,
      'set --cluster-host-name to at most 63 letters, digits, _ . -',
    );
  if (settings.address !== undefined) checkAddress(settings.address);
  checkPool({ ...defaultPool, ...settings.pool });
  const { certificate, key } = settings.tls ?? {};
  if ((certificate === undefined) !== (key === undefined))
    throw invalid('--cluster-cert and --cluster-key must be set together');
  for (const [flag, seconds] of [
    ['--cluster-lease', settings.leaseSeconds],
    ['--cluster-reservation', settings.reservationSeconds],
  ] as const) {
    if (!Number.isInteger(seconds) || seconds < MIN_LEASE_SECONDS || seconds > MAX_LEASE_SECONDS)
      throw invalid(`invalid ${flag} ${seconds}: must be from ${MIN_LEASE_SECONDS} to ${MAX_LEASE_SECONDS} seconds`);
  }
  if (settings.reservationSeconds < settings.leaseSeconds)
    throw invalid('--cluster-reservation must not be shorter than --cluster-lease');
}

function checkAddress(address: string): void {
  if (tryParseIp(address) !== undefined && isReachable(address)) return;
  throw new NetyardError(
    'invalid',
    `invalid --cluster-address ${address}: must be an address of this host that other hosts reach`,
  );
}
