/** Leases: asked for, kept, given up. Their time runs on etcd's clock, never on ours. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { isLeaseGone } from './errors.ts';
import type { EtcdSession } from './session.ts';

export interface HeldLease {
  id: bigint;
  /** How often it is renewed. */
  everyMs: number;
}

const ANSWER_PATIENCE_MS = 5_000;

export async function grantLease(session: EtcdSession, seconds: number): Promise<bigint> {
  const answer = await session.lease.leaseGrant({ TTL: BigInt(seconds) });
  if (answer.error !== '') throw new ConnectError(answer.error, Code.Internal);
  return answer.ID;
}

/** Gone already is fine. Keys that hang on it go with it. */
export async function revokeLease(session: EtcdSession, id: bigint): Promise<void> {
  try {
    await session.lease.leaseRevoke({ ID: id });
  } catch (error) {
    if (!isLeaseGone(error)) throw error;
  }
}

/** Renews it once. Seconds that it was granted for; 0 when it is gone. */
export async function renewLease(session: EtcdSession, id: bigint): Promise<number> {
  const done = new AbortController();
  async function* one() {
    yield { ID: id };
  }
  try {
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(ANSWER_PATIENCE_MS)]);
    for await (const answer of session.lease.leaseKeepAlive(one(), { signal })) return Math.max(0, Number(answer.TTL));
    return 0;
  } finally {
    done.abort();
  }
}

/**
 * Renews all of them over one stream, each in its time, until one is gone or the session ends: rejects then. An answer
 * that does not come ends the session, for a host that holds its connection and says nothing is as good as away.
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
  const deaf = setTimeout(() => session.close(new Error('etcd does not renew the lease')), tick + ANSWER_PATIENCE_MS);
  try {
    for await (const answer of session.lease.leaseKeepAlive(requests(), { signal })) {
      if (answer.TTL <= 0n) throw new ConnectError('the lease has run out', Code.NotFound);
      deaf.refresh();
    }
    throw new ConnectError('etcd ended the renewing of leases', Code.Unavailable);
  } finally {
    clearTimeout(deaf);
  }
}
