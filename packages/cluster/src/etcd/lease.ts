/** Grants, renews and revokes leases. Expiry is measured by etcd's clock, never by ours. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { isLeaseGone } from './errors.ts';
import type { EtcdSession } from './session.ts';

export interface HeldLease {
  id: bigint;
  /** Interval of renewals. */
  everyMs: number;
}

const RESPONSE_TIMEOUT_MS = 5_000;

export async function grantLease(session: EtcdSession, seconds: number): Promise<bigint> {
  const answer = await session.lease.leaseGrant({ TTL: BigInt(seconds) });
  if (answer.error !== '') throw new ConnectError(answer.error, Code.Internal);
  return answer.ID;
}

/** Revokes a lease; etcd deletes the keys attached to it. Ignores a lease that does not exist. */
export async function revokeLease(session: EtcdSession, id: bigint): Promise<void> {
  try {
    await session.lease.leaseRevoke({ ID: id });
  } catch (error) {
    if (!isLeaseGone(error)) throw error;
  }
}

/** Renews a lease once and returns its granted seconds; 0 when it does not exist. */
export async function renewLease(session: EtcdSession, id: bigint): Promise<number> {
  const done = new AbortController();
  async function* one() {
    yield { ID: id };
  }
  try {
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(RESPONSE_TIMEOUT_MS)]);
    for await (const answer of session.lease.leaseKeepAlive(one(), { signal })) return Math.max(0, Number(answer.TTL));
    return 0;
  } finally {
    done.abort();
  }
}

/**
 * Renews all leases over one stream, each at its interval, until one expires or the session ends; then rejects. A
 * missing response closes the session, because an etcd that holds its connection without responding is as good as
 * unreachable.
 */
export async function keepLeases(
  session: EtcdSession,
  leases: readonly HeldLease[],
  signal: AbortSignal,
): Promise<never> {
  const tick = Math.min(...leases.map((lease) => lease.everyMs));
  async function* requests() {
    for (let round = 0; ; round++) {
      for (const { id, everyMs } of leases) if (round % Math.max(1, Math.round(everyMs / tick)) === 0) yield { ID: id };
      await sleep(tick, undefined, { signal, ref: false });
    }
  }
  const timeout = setTimeout(
    () => session.close(new Error('etcd does not renew the lease')),
    tick + RESPONSE_TIMEOUT_MS,
  );
  try {
    for await (const answer of session.lease.leaseKeepAlive(requests(), { signal })) {
      if (answer.TTL <= 0n) throw new ConnectError('the lease has expired', Code.NotFound);
      timeout.refresh();
    }
    throw new ConnectError('etcd closed the stream of lease renewals', Code.Unavailable);
  } finally {
    clearTimeout(timeout);
  }
}
