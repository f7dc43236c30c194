/** Watches a prefix from a revision on, as batches of events. Ends with the session. */
import { once } from 'node:events';
import { Code, ConnectError } from '@connectrpc/connect';
import { rangeEnd } from '../keys.ts';
import { Event_EventType } from './gen/kv_pb.ts';
import { type Entry, entryOf } from './list.ts';
import type { EtcdSession } from './session.ts';

export interface KeyChange {
  action: 'put' | 'delete';
  /** For a deletion, without value and lease. */
  entry: Entry;
}

export interface WatchStream {
  /** Events grouped as etcd sent them. Throws when the watch cannot continue; then list again. */
  batches: AsyncIterable<KeyChange[]>;
}

/** Resolves when etcd has created the watch: no change after `revision` is missed. */
export async function openWatch(
  session: EtcdSession,
  prefix: string,
  revision: bigint,
  signal: AbortSignal,
): Promise<WatchStream> {
  async function* requests() {
    const createRequest = { key: Buffer.from(prefix), rangeEnd: rangeEnd(prefix), startRevision: revision + 1n };
    yield { requestUnion: { case: 'createRequest' as const, value: createRequest } };
    if (!signal.aborted) await once(signal, 'abort'); // closing the request stream ends the watch
  }
  const answers = session.watch.watch(requests(), { signal })[Symbol.asyncIterator]();
  const first = await answers.next();
  if (first.done === true || !first.value.created) throw lost('etcd did not create the watch');
  throwIfCanceled(first.value);
  async function* batches(): AsyncGenerator<KeyChange[]> {
    for (;;) {
      const next = await answers.next();
      if (next.done === true) throw lost('etcd ended the watch');
      throwIfCanceled(next.value);
      yield next.value.events.flatMap(({ type, kv }) =>
        kv
          ? [{ action: type === Event_EventType.DELETE ? ('delete' as const) : ('put' as const), entry: entryOf(kv) }]
          : [],
      );
    }
  }
  return { batches: batches() };
}

function throwIfCanceled(answer: { canceled: boolean; compactRevision: bigint; cancelReason: string }): void {
  if (answer.compactRevision > 0n) throw lost('etcd has compacted the missed revisions');
  if (answer.canceled) throw lost(`etcd canceled the watch: ${answer.cancelReason}`);
}

const lost = (message: string): ConnectError => new ConnectError(message, Code.Unavailable);
