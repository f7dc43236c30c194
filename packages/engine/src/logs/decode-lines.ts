/**
 * Converts entries of a json-file log to the output of `docker logs`: filtered, timestamped and framed, many at once
 * and without an object per line. Pure.
 */
import { formatTime } from '@netyard/core';
import type { OutputStream } from './capture-state.ts';
import { type EntryHead, parseEntry } from './json-file.ts';

export interface DecodeOptions {
  stdout: boolean;
  stderr: boolean;
  since: bigint | undefined;
  until: bigint | undefined;
  timestamps: boolean;
  details: boolean;
  /** Each entry after a header of eight bytes (moby api/pkg/stdcopy); otherwise the bytes alone. */
  framed: boolean;
}

/** What entries with the same end of line (stream, attributes, time) share. */
interface Head {
  isPassed: boolean;
  isPastUntil: boolean;
  stream: OutputStream;
  /** Timestamp and details. */
  prefix: Buffer;
}

const start = Buffer.from('{"log":"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const headerLength = 8;
const streamNumbers = { stdout: 1, stderr: 2 } as const;
/** `\n`, `\t`, … and the characters they stand for; JSON's, RFC 8259 section 7. */
const shortEscapes: ReadonlyMap<number, number> = new Map(
  [...'"\\/']
    .map((text) => [text.charCodeAt(0), text.charCodeAt(0)] as const)
    .concat(
      [['n', 10] as const, ['r', 13] as const, ['t', 9] as const, ['b', 8] as const, ['f', 12] as const].map(
        ([name, byte]) => [name.charCodeAt(0), byte] as const,
      ),
    ),
);

export class LineDecoder {
  readonly #options: DecodeOptions;
  /** The end of the previous line: most lines have the same. */
  #tail = Buffer.alloc(0);
  #head: Head | undefined;
  #isOver = false;

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** An entry later than `until` was found. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Upper bound of the bytes needed to decode a line of this length: details are escaped as in a URL query. */
  static needs(lineLength: number): number {
    return 3 * lineLength + 64;
  }

  /**
   * Decodes the line `source[from, to)`, without its newline, into `target` from `at` on, which must have room for it.
   * @returns where the free part of the target begins, and the stream of the entry; `at` when the entry is filtered out
   */
  decode(source: Buffer, from: number, to: number, target: Buffer, at: number): { end: number; stream: OutputStream } {
    const { framed } = this.#options;
    const bodyAt = at + (framed ? headerLength : 0);
    const fast = decodeText(source, from, to, target, bodyAt);
    const head = fast ? this.#headOf(source, fast.from, to) : undefined;
    if (fast && head) return this.#placeEntry(target, at, bodyAt, fast.end, head);
    const entry = parseEntry(source.toString('utf8', from, to));
    if (!entry) return { end: at, stream: 'stdout' };
    const end = bodyAt + target.write(entry.log, bodyAt);
    return this.#placeEntry(target, at, bodyAt, end, this.#checkState(entry.head));
  }

  /** The text is at `bodyAt`; the timestamp shifts it, the header precedes it. */
  #placeEntry(target: Buffer, at: number, bodyAt: number, end: number, head: Head) {
    this.#isOver ||= head.isPastUntil;
    if (!head.isPassed || this.#isOver) return { end: at, stream: head.stream };
    const { prefix, stream } = head;
    if (prefix.length > 0) {
      target.copyWithin(bodyAt + prefix.length, bodyAt, end);
      target.set(prefix, bodyAt);
    }
    const total = end + prefix.length;
    if (this.#options.framed) {
      target.writeUInt32BE(streamNumbers[stream] * 0x1000000, at);
      target.writeUInt32BE(total - bodyAt, at + 4);
    }
    return { end: total, stream };
  }

  /** Undefined when the rest of the line is not what a log writer appends to the text. */
  #headOf(source: Buffer, from: number, to: number): Head | undefined {
    if (this.#head && to - from === this.#tail.length && hasBytes(source, from, this.#tail)) return this.#head;
    const entry = parseEntry(`{"log":"${source.toString('utf8', from, to)}`);
    if (!entry) return undefined;
    this.#tail = Buffer.from(source.subarray(from, to));
    this.#head = this.#checkState(entry.head);
    return this.#head;
  }

  #checkState({ stream, time, attributes }: EntryHead): Head {
    const { since, until, timestamps, details, ...requested } = this.#options;
    const stamp = timestamps ? `${formatTime(time)} ` : '';
    return {
      stream,
      isPassed: requested[stream] && (since === undefined || time >= since),
      isPastUntil: until !== undefined && time > until,
      prefix: Buffer.from(details ? `${stamp}${formatDetails(attributes)} ` : stamp),
    };
  }
}

/** `key=value,key=value`, escaped as in a URL query, and a space; without details only the space. */
function formatDetails(attributes: EntryHead['attributes'] = {}): string {
  const pairs = Object.entries(attributes).map((pair) => new URLSearchParams([pair]).toString());
  return pairs.sort().join(',');
}

/** Without a call into native code, which takes longer than the comparison of so few bytes. */
function hasBytes(source: Buffer, at: number, bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index += 1) if (source[at + index] !== bytes[index]) return false;
  return true;
}

/** The text of `{"log":"…`; `from` is then its closing quote. Undefined for anything unusual. */
function decodeText(
  source: Buffer,
  from: number,
  to: number,
  target: Buffer,
  at: number,
): { from: number; end: number } | undefined {
  if (to - from < start.length || !hasBytes(source, from, start)) return undefined;
  let out = at;
  for (let index = from + start.length; index < to; ) {
    const byte = source[index] as number;
    if (byte === QUOTE) return { from: index, end: out };
    if (byte !== BACKSLASH) {
      target[out++] = byte;
      index += 1;
      continue;
    }
    const next = source[index + 1] ?? 0;
    const short = shortEscapes.get(next);
    if (short !== undefined) {
      target[out++] = short;
      index += 2;
      continue;
    }
    const unit = Number.parseInt(source.toString('latin1', index + 2, index + 6), 16);
    if (next !== 0x75 || Number.isNaN(unit) || (unit >= 0xd800 && unit < 0xe000)) return undefined;
    out += target.write(String.fromCharCode(unit), out);
    index += 6;
  }
  return undefined;
}
