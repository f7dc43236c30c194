/** Lists all keys below a prefix at one revision. Reads only. */
import { rangeEnd } from '../keys.ts';
import type { KeyValue } from './gen/kv_pb.ts';
import type { EtcdSession } from './session.ts';

export interface Entry {
  key: string;
  value: string;
  /** 0n: attached to no lease. */
  lease: bigint;
  modRevision: bigint;
}

export interface Snapshot {
  /** A watch from `revision + 1n` reports all later changes. */
  revision: bigint;
  entries: Entry[];
}

const PAGE = 2_000n;

export const entryOf = ({ key, value, lease, modRevision }: KeyValue): Entry => ({
  key: Buffer.from(key).toString(),
  value: Buffer.from(value).toString(),
  lease,
  modRevision,
});

/** Reads in pages, all at the revision of the first: no change can fall between two pages. */
export async function listPrefix(session: EtcdSession, prefix: string): Promise<Snapshot> {
  const end = rangeEnd(prefix);
  const entries: Entry[] = [];
  let revision = 0n;
  let from = prefix;
  for (;;) {
    const answer = await session.kv.range({ key: Buffer.from(from), rangeEnd: end, limit: PAGE, revision });
    if (revision === 0n) revision = answer.header?.revision ?? 0n;
    for (const kv of answer.kvs) entries.push(entryOf(kv));
    const last = entries.at(-1);
    if (!answer.more || !last) return { revision, entries };
    from = `${last.key}\0`;
  }
}
