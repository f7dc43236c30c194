/** Builds etcd transactions. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { rangeEnd } from '../keys.ts';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type RequestOpSchema,
} from './gen/rpc_pb.ts';

type Compare = MessageInitShape<typeof CompareSchema>;
type Operation = MessageInitShape<typeof RequestOpSchema>;

export interface Transaction {
  compare: Compare[];
  success: Operation[];
}

export const put = (key: string, value: string, lease: bigint): Operation => ({
  request: { case: 'requestPut', value: { key: Buffer.from(key), value: Buffer.from(value), lease } },
});

export const remove = (key: string): Operation => ({
  request: { case: 'requestDeleteRange', value: { key: Buffer.from(key) } },
});

/** All keys below the prefix. */
export const removeAll = (prefix: string): Operation => ({
  request: { case: 'requestDeleteRange', value: { key: Buffer.from(prefix), rangeEnd: rangeEnd(prefix) } },
});

/** The key is unchanged since it was read; etcd's mod_revision is 0 for a key that does not exist. */
export const unchanged = (key: string, modRevision: bigint): Compare => ({
  result: Compare_CompareResult.EQUAL,
  target: Compare_CompareTarget.MOD,
  key: Buffer.from(key),
  targetUnion: { case: 'modRevision', value: modRevision },
});

/** No key exists below the prefix. */
export const empty = (prefix: string): Compare => ({
  result: Compare_CompareResult.EQUAL,
  target: Compare_CompareTarget.CREATE,
  key: Buffer.from(prefix),
  rangeEnd: rangeEnd(prefix),
  targetUnion: { case: 'createRevision', value: 0n },
});

/** No key below the prefix was written after the revision; deletions do not count. */
export const unwrittenSince = (prefix: string, revision: bigint): Compare => ({
  result: Compare_CompareResult.LESS,
  target: Compare_CompareTarget.MOD,
  key: Buffer.from(prefix),
  rangeEnd: rangeEnd(prefix),
  targetUnion: { case: 'modRevision', value: revision + 1n },
});

/** The key exists with this value. */
export const hasValue = (key: string, value: string): Compare => ({
  result: Compare_CompareResult.EQUAL,
  target: Compare_CompareTarget.VALUE,
  key: Buffer.from(key),
  targetUnion: { case: 'value', value: Buffer.from(value) },
});
