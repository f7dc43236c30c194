/**
 * Reads tar archives entry by entry: ustar, GNU (long names, base 256, old sparse) and pax (GNU sparse 0.0, 0.1, 1.0).
 * Global pax headers are ignored, as in dockerd and containerd.
 */
import { ArchiveMeter } from '../archive-limits.ts';
import { ByteSource } from './byte-source.ts';
import { textOf } from './byte-text.ts';
import {
  applyPax,
  checkSparse,
  cText,
  decodeHeader,
  decodeOldSparse,
  decodePax,
  decodeSparseMap,
  isZeroBlock,
  numberAt,
  oldSparse,
  type PaxRecords,
  type RawHeader,
  sparseNumber,
} from './decode.ts';
import { blockSize, invalidTar, isHeaderOnly, padding, type Segment, type TarHeader } from './header.ts';

/** Data at a position of the file. */
export interface Piece {
  position: number;
  data: Uint8Array;
}

export interface TarEntry {
  header: TarHeader;
  /** The content, with holes as zeros. Unread content is skipped. */
  body: AsyncIterable<Uint8Array>;
  /** Alternative to `body`: the content without its holes. */
  pieces: AsyncIterable<Piece>;
}

/** Receives all bytes of an archive in order, so that it can be assembled again from them and from the files. */
export interface TarObserver {
  /** Headers, padding, skipped content, and what follows the last entry. The bytes are valid during the call only. */
  overhead(bytes: Uint8Array): void;
  /** Content of the current entry, at this position of its file. */
  content(position: number, length: number): void;
}

/** Go's limit for extension headers: long names, pax records. */
const maxExtensionLength = 1024 * 1024;
const maxSegments = 100_000;

/**
 * Yields entries in order. Throws `invalid` for damaged or truncated archives, the source's error when it fails, and
 * the meter's error when a limit is exceeded. Leaving the iteration early closes the source. Data after the end of the
 * archive are read and discarded.
 */
export async function* tarEntries(
  source: AsyncIterable<Uint8Array>,
  meter: ArchiveMeter = new ArchiveMeter(),
  observer?: TarObserver,
): AsyncGenerator<TarEntry> {
  const parser = new Parser(new ByteSource(source), meter, observer);
  try {
    for (let header = await parser.next(); header !== undefined; header = await parser.next()) {
      meter.addFile(header.size);
      yield parser.entry(header);
      await parser.skipContent();
    }
    await parser.drain();
  } finally {
    await parser.close();
  }
}

class Parser {
  readonly #source: ByteSource;
  readonly #meter: ArchiveMeter;
  readonly #observer: TarObserver | undefined;
  /** Unread stored bytes of the current entry. */
  #left = 0;
  #padding = 0;

  constructor(source: ByteSource, meter: ArchiveMeter, observer: TarObserver | undefined) {
    this.#source = source;
    this.#meter = meter;
    this.#observer = observer;
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async drain(): Promise<void> {
    for (let rest = await this.#rest(); rest.length > 0; rest = await this.#rest()) this.#observer?.overhead(rest);
  }

  #rest(): Promise<Uint8Array> {
    return this.#source.some(Number.MAX_SAFE_INTEGER);
  }

  async #take(length: number): Promise<Uint8Array> {
    const bytes = await this.#source.take(length);
    if (bytes.length > 0) this.#observer?.overhead(bytes);
    return bytes;
  }

  /** The next entry's header, with preceding extension headers applied; undefined at the end. */
  async next(): Promise<TarHeader | undefined> {
    let pax: PaxRecords = new Map();
    let longName = '';
    let longLink = '';
    for (;;) {
      const raw = await this.#rawHeader();
      if (raw === undefined) return undefined;
      if (raw.flag === 'x' || raw.flag === 'X') pax = decodePax(await this.#extension(raw));
      else if (raw.flag === 'g') await this.#extension(raw);
      else if (raw.flag === 'L') longName = cText(await this.#extension(raw));
      else if (raw.flag === 'K') longLink = cText(await this.#extension(raw));
      else return await this.#complete(raw, pax, longName, longLink);
    }
  }

  async #rawHeader(): Promise<RawHeader | undefined> {
    const block = await this.#take(blockSize);
    if (block.length === 0) return undefined;
    if (block.length < blockSize) throw truncated();
    if (isZeroBlock(block)) return undefined;
    this.#meter.addEntry();
    return decodeHeader(block);
  }

  async #extension({ header }: RawHeader): Promise<Uint8Array> {
    if (header.size < 0 || header.size > maxExtensionLength) throw invalidTar('a name or a pax header is too long');
    const bytes = await this.#exactly(header.size);
    await this.#exactly(padding(header.size));
    return bytes;
  }

  async #exactly(length: number): Promise<Uint8Array> {
    const bytes = await this.#take(length);
    if (bytes.length < length) throw truncated();
    return bytes;
  }

  async #complete(raw: RawHeader, pax: PaxRecords, longName: string, longLink: string): Promise<TarHeader> {
    const header = applyPax(raw.header, pax);
    if (longName !== '') header.name = longName;
    if (longLink !== '') header.linkname = longLink;
    if (raw.flag === '\0' && header.name.endsWith('/')) header.type = 'directory';
    if (header.size < 0) throw invalidTar('invalid tar header');
    this.#left = isHeaderOnly(header.type) ? 0 : header.size;
    this.#padding = padding(this.#left);
    if (isHeaderOnly(header.type)) return { ...header, size: 0 };
    if (raw.flag === 'S') return this.#sparse(header, header.name, ...(await this.#oldSparse(raw)));
    return await this.#paxSparse(header, pax);
  }

  async #oldSparse({ block }: RawHeader): Promise<[number, Segment[]]> {
    const segments = decodeOldSparse(block, oldSparse.inHeader, oldSparse.headerCount);
    for (let more = block[oldSparse.headerMore] !== 0; more; ) {
      const next = await this.#exactly(blockSize);
      segments.push(...decodeOldSparse(next, 0, oldSparse.blockCount));
      if (segments.length > maxSegments) throw invalidTar('a sparse map is too long');
      more = next[oldSparse.blockMore] !== 0;
    }
    return [numberAt(block, oldSparse.realSize, 12), segments];
  }

  async #paxSparse(header: TarHeader, pax: PaxRecords): Promise<TarHeader> {
    const record = (key: string): string => textOf(pax.get(`GNU.sparse.${key}`) ?? new Uint8Array(0));
    const version = `${record('major')}.${record('minor')}`;
    const isInside = version === '1.0';
    if (!isInside && version !== '0.0' && version !== '0.1' && record('map') === '') return header;
    const name = record('name') === '' ? header.name : record('name');
    const size = record('size') === '' ? record('realsize') : record('size');
    const segments = isInside ? await this.#sparseTable() : decodeSparseMap(record('map'));
    return this.#sparse(header, name, size === '' ? header.size : sparseNumber(size), segments);
  }

  #sparse(header: TarHeader, name: string, size: number, segments: Segment[]): TarHeader {
    checkSparse(segments, size, this.#left);
    return { ...header, name, size, sparse: segments.filter(({ length }) => length > 0) };
  }

  /**
   * Sparse 1.0: decimal lines at the beginning of the content, padded to a block: the number of pairs, then the pairs.
   */
  async #sparseTable(): Promise<Segment[]> {
    const numbers: number[] = [];
    let rest = '';
    while (numbers.length === 0 || numbers.length < (numbers[0] ?? 0) * 2 + 1) {
      if (this.#left < blockSize) throw invalidTar('invalid sparse map');
      const lines = (rest + Buffer.from(await this.#exactly(blockSize)).toString('latin1')).split('\n');
      this.#left -= blockSize;
      rest = lines.pop() ?? '';
      for (const line of lines) numbers.push(sparseNumber(line));
      if ((numbers[0] ?? 0) > maxSegments || rest.length > blockSize) throw invalidTar('a sparse map is too long');
    }
    const [count = 0, ...pairs] = numbers;
    return Array.from({ length: count }, (_, index) => ({
      offset: pairs[index * 2] ?? 0,
      length: pairs[index * 2 + 1] ?? 0,
    }));
  }

  entry(header: TarHeader): TarEntry {
    const pieces = this.#pieces(header);
    return { header, pieces, body: dense(header, pieces) };
  }

  async *#pieces(header: TarHeader): AsyncGenerator<Piece> {
    for (const { offset, length } of header.sparse ?? [{ offset: 0, length: this.#left }]) {
      for (let position = offset; position < offset + length; ) {
        const data = await this.#content(offset + length - position);
        const { length: received } = data; // a reader may free the data
        this.#observer?.content(position, received);
        yield { position, data };
        position += received;
      }
    }
  }

  async #content(most: number): Promise<Uint8Array> {
    const data = await this.#source.some(Math.min(most, this.#left));
    if (data.length === 0) throw truncated();
    this.#left -= data.length;
    return data;
  }

  async skipContent(): Promise<void> {
    while (this.#left > 0) {
      const skipped = await this.#content(this.#left);
      this.#observer?.overhead(skipped);
    }
    const end = await this.#take(this.#padding);
    // The docker CLI ends a build context without the last padding when it adds a Dockerfile.
    if (end.length > 0 && end.length < this.#padding) throw truncated();
    this.#padding = 0;
  }
}

const truncated = () => invalidTar('unexpected EOF');

const zeros = new Uint8Array(256 * 1024);

async function* dense({ size, sparse }: TarHeader, pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array> {
  let end = 0;
  for await (const { position, data } of pieces) {
    yield* hole(position - end);
    yield data;
    end = position + data.length;
  }
  if (sparse !== undefined) yield* hole(size - end);
}

function* hole(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length));
}
