/** Detects and decompresses streams by their first bytes, not by a file name. */
import { Readable } from 'node:stream';
import type { ArchiveMeter } from './archive-limits.ts';
import { NetyardError } from './errors.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const magics: { compression: Compression; bytes: number[] }[] = [
  { compression: 'gzip', bytes: [0x1f, 0x8b, 0x08] },
  { compression: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { compression: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { compression: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];
const maxMagicLength = 6;
/** Each chunk is a call of Node's thread pool; the default is 16 KiB, for gzip. */
const chunkSize = 256 * 1024;

/** Detects the compression from a stream's first bytes; six are sufficient. Pure. */
export function detectCompression(head: Uint8Array): Compression {
  const found = magics.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  return found?.compression ?? 'none';
}

/**
 * Reads `count` bytes, or fewer at the end, and returns them with a stream that still contains them. The caller must
 * read the stream to its end or close it, otherwise the source stays open.
 */
export async function peek(
  source: AsyncIterable<Uint8Array>,
  count = maxMagicLength,
): Promise<{ head: Uint8Array; stream: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const next = await iterator.next();
    if (next.done) break;
    chunks.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(chunks), stream: rejoin(chunks, iterator) };
}

async function* rejoin(chunks: Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/**
 * Returns the stream itself, or the contents of a gzip or zstd stream. The stream fails when the compressed data are
 * damaged or truncated, or when they exceed a limit of the meter. Throws `invalid` for bzip2 and xz, which Node does
 * not support.
 */
export async function decompress(
  source: AsyncIterable<Uint8Array>,
  meter?: ArchiveMeter,
): Promise<{ compression: Compression; stream: AsyncIterable<Uint8Array> }> {
  const inflated = await inflate(meter?.sent(source) ?? source);
  return meter ? { ...inflated, stream: meter.expanded(inflated.stream) } : inflated;
}

async function inflate(
  source: AsyncIterable<Uint8Array>,
): Promise<{ compression: Compression; stream: AsyncIterable<Uint8Array> }> {
  const { head, stream } = await peek(source);
  const compression = detectCompression(head);
  if (compression === 'none') return { compression, stream };
  if (compression !== 'gzip' && compression !== 'zstd') {
    throw new NetyardError('invalid', `${compression} compression is not supported`, {
      hint: 'compress the archive with gzip or zstd, or not at all',
    });
  }
  // Loaded lazily: loading it would add 10 ms to each start of the CLI.
  const { createGunzip, createZstdDecompress } = await import('node:zlib');
  const inflater = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
  const compressed = Readable.from(stream, { objectMode: false });
  compressed.on('error', (error) => inflater.destroy(error));
  inflater.on('close', () => compressed.destroy());
  return { compression, stream: withInvalidErrors(compressed.pipe(inflater), compression) };
}

/** Reports damaged data as an error of the sender. */
async function* withInvalidErrors(inflated: Readable, compression: Compression): AsyncGenerator<Uint8Array> {
  try {
    yield* inflated;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^(?:Z|ZSTD)_/.test(String(error.code)))) throw error;
    throw new NetyardError('invalid', `damaged ${compression} data: ${error.message}`, { cause: error });
  }
}
