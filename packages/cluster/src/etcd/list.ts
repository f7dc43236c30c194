/** All keys below a prefix at one revision. Reads only. */
import { rangeEnd } from '../keys.ts';
import type { KeyValue } from './gen/kv_pb.ts';
import type { EtcdSession } from './session.ts';

export interface Entry {
  key: string;
  value: string;
  /** 0n: it hangs on none. */
  lease: bigint;
  modRevision: bigint;
}

export interface Snapshot {
  /** What happens after it is seen by a watch from `revision + 1n`. */
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

/** In pages, each at the revision of the first: nothing can fall between two of them. */
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
