/** containerd's content store as the image content needs them (`BlobStore`). */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCodeOf, messageOf, NetyardError } from '@netyard/core';
import {
  type ContainerdClient,
  containerdError,
  isAlreadyExists,
  isNotFound,
  isUnavailable,
} from '../containerd/client.ts';
import { WriteAction } from '../containerd/gen/content_pb.ts';
import type { BlobInfo, BlobStore } from './blob-store.ts';
import { checkExpected, tooLong } from './expected-blob.ts';

/** Larger messages are faster, and containerd accepts 16 MiB. */
const messageSize = 1024 * 1024;

export function containerdBlobs(client: Pick<ContainerdClient, 'content'>): BlobStore {
  return {
    info: (digest) => info(client, digest),
    list: () => list(client),
    write: (request) => write(client, request),
    read: (digest) => read(client, digest),
    async delete(digest) {
      await client.content.delete({ digest }).catch((error: unknown) => {
        if (!isNotFound(error)) throw containerdError(error, `remove the blob ${digest}`);
      });
    },
    async abandonWrites(refPrefix) {
      const { statuses } = await client.content.listStatuses({}).catch((error: unknown) => {
        throw containerdError(error, 'list unfinished writes');
      });
      const ours = statuses.filter(({ ref }) => ref.startsWith(refPrefix));
      await Promise.all(ours.map(({ ref }) => abandon(client, ref)));
    },
  };
}

const mostAborts = 50;

type Content = Pick<ContainerdClient, 'content'>;

async function info({ content }: Content, digest: string): Promise<BlobInfo | undefined> {
  try {
    const found = (await content.info({ digest })).info;
    return found && { digest: found.digest, size: Number(found.size), labels: found.labels };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw containerdError(error, `look for the blob ${digest}`);
  }
}

async function list({ content }: Content): Promise<BlobInfo[]> {
  const blobs: BlobInfo[] = [];
  try {
    for await (const { info: found } of content.list({})) {
      blobs.push(...found.map(({ digest, size, labels }) => ({ digest, size: Number(size), labels })));
    }
  } catch (error) {
    throw containerdError(error, 'list blobs');
  }
  return blobs;
}

/** A reader that stops early ends the call: connect would keep the stream and the received data for ever. */
async function* read({ content }: Content, digest: string): AsyncGenerator<Uint8Array> {
  const call = new AbortController();
  try {
    for await (const { data } of content.read({ digest }, { signal: call.signal })) yield data;
  } catch (error) {
    throw containerdError(error, `read the blob ${digest}`);
  } finally {
    call.abort();
  }
}

type WriteRequest = Parameters<BlobStore['write']>[0];

async function write(client: Content, request: WriteRequest): Promise<{ digest: string; size: number }> {
  const sum = new Sum(request);
  if (request.expectedDigest !== undefined && (await info(client, request.expectedDigest)) !== undefined) {
    for await (const chunk of request.stream) sum.add(chunk);
    return sum.check();
  }
  const failure = await upload(client, request, sum);
  if (failure === undefined) return sum.check();
  await abandon(client, request.ref).catch((second: unknown) => {
    const hint = `what was written is kept until the next start: ${messageOf(second)}`;
    throw new NetyardError(errorCodeOf(failure), messageOf(failure), { hint, cause: failure });
  });
  if (!isAlreadyExists(failure)) throw failure;
  return sum.check(); // another client has written the same blob meanwhile
}

/**
 * Returns the error, if any. By then containerd has released the write: when the source fails, the messages end without
 * a commit and their answer is awaited, as an aborted call may still be running when the write is aborted.
 */
async function upload(client: Content, request: WriteRequest, sum: Sum): Promise<unknown> {
  try {
    for await (const _ of client.content.write(messages(request, sum)));
  } catch (error) {
    return isAlreadyExists(error) ? error : (sum.failure ?? containerdError(error, 'write a blob'));
  }
  return sum.failure;
}

/**
 * One message per chunk and a commit. The digest is sent only with the commit: with an earlier one, containerd may
 * share a blob of another of its namespaces without our labels.
 */
async function* messages(
  request: WriteRequest,
  sum: Sum,
): AsyncGenerator<{
  action: WriteAction;
  ref: string;
  offset: bigint;
  data?: Uint8Array;
  total?: bigint;
  expected?: string;
  labels?: Record<string, string>;
}> {
  const { ref, labels } = request;
  const source = pieces(request.stream);
  let offset = 0n;
  try {
    for (let data = await sum.next(source); data !== undefined; data = await sum.next(source)) {
      yield { action: WriteAction.WRITE, ref, offset, data };
      offset += BigInt(data.length);
    }
    const sums = sum.finish();
    if (sums === undefined) return;
    const { digest, size } = sums;
    yield { action: WriteAction.COMMIT, ref, offset, total: BigInt(size), expected: digest, labels };
  } finally {
    await source.return(undefined);
  }
}

/** The same bytes in chunks of about a message's size: gRPC accepts no message above 16 MiB. */
async function* pieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += messageSize) {
      const part = chunk.subarray(at, at + messageSize);
      waiting.push(part);
      length += part.length;
      if (length < messageSize) continue;
      yield Buffer.concat(waiting);
      waiting = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(waiting);
}

/** Computes digest and size of the data and compares them with the expected ones. */
class Sum {
  readonly #request: WriteRequest;
  readonly #hash = createHash('sha256');
  #size = 0;
  #result: { digest: string; size: number } | undefined;
  /** The source's error, as opposed to containerd's own failures, which end the messages as well. */
  failure: unknown;

  constructor(request: WriteRequest) {
    this.#request = request;
  }

  /** Throws `invalid` as soon as the announced size is exceeded: an endless source must not fill the disk. */
  add(data: Uint8Array): void {
    this.#hash.update(data);
    this.#size += data.length;
    const { expectedSize } = this.#request;
    if (expectedSize !== undefined && this.#size > expectedSize) {
      throw tooLong(expectedSize);
    }
  }

  /** The next chunk, counted; undefined at the end and when the source fails. */
  async next(source: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await source.next();
      if (done) return undefined;
      this.add(value);
      return value;
    } catch (error) {
      this.failure = error;
      return undefined;
    }
  }

  /** What to commit; undefined when the source failed or differs from the announcement. */
  finish(): { digest: string; size: number } | undefined {
    try {
      return this.failure === undefined ? this.check() : undefined;
    } catch (error) {
      this.failure = error;
      return undefined;
    }
  }

  /** Call this at the end of the data. Throws `invalid`. */
  check(): { digest: string; size: number } {
    this.#result ??= { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size };
    const { expectedDigest: digest, expectedSize: size } = this.#request;
    checkExpected(
      { ...(digest === undefined ? {} : { digest }), ...(size === undefined ? {} : { size }) },
      this.#result,
    );
    return this.#result;
  }
}

/** Retried for a while: containerd may still be recording the progress of the write. */
async function abandon({ content }: Content, ref: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await content.abort({ ref });
      return;
    } catch (error) {
      if (isNotFound(error)) return;
      if (isUnavailable(error) || attempt === mostAborts) throw containerdError(error, 'abort a write');
      await sleep(20);
    }
  }
}
