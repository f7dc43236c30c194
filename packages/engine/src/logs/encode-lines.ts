/**
 * Splits a container's output into lines as Docker's copier does (at newlines, and after 16 KiB without one) and
 * encodes each as an entry of Docker's json-file format, in one pass over the bytes and without an object per line.
 * Pure.
 */
import type { OutputStream } from './capture-state.ts';

/** Docker's limit of one log entry. */
export const maximumLineLength = 16 * 1024;
/** `\u001b` or `\ufffd` for one byte. */
const longestEscape = 6;

const prefix = Buffer.from('{"log":"');
const newlineEscape = Buffer.from('\\n');
const replacement = Buffer.from('\\ufffd');
const NEWLINE = 10;
const BACKSLASH = 0x5c;

/** How to encode a byte: 0 unchanged, 1 an escape, 2 part of a longer character. */
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return 2;
  return byte < 0x20 || '"\\<>&'.includes(String.fromCharCode(byte)) ? 1 : 0; // jsonlog escapes HTML's characters, too
});

/** The escape of each byte of kind 1. */
const escapes: readonly Buffer[] = Array.from({ length: 128 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (character === '\n') return newlineEscape;
  if (character === '\r') return Buffer.from('\\r');
  if (character === '"' || character === '\\') return Buffer.from(`\\${character}`);
  return Buffer.from(`\\u00${byte.toString(16).padStart(2, '0')}`);
});

export class LineEncoder {
  readonly #tail: string;
  /** Of the last part of a split line: all parts have the time of the first. */
  #partialTime: string | undefined;
  #suffix: { time: string; bytes: Buffer } = { time: '', bytes: Buffer.alloc(0) };
  #at = 0;
  #out = 0;

  /** @param attributes JSON text of the labels and variables requested with --log-opt, or '' */
  constructor(stream: OutputStream, attributes: string) {
    this.#tail = `","stream":"${stream}"${attributes === '' ? '' : `,"attrs":${attributes}`},"time":"`;
  }

  /** Upper bound of the bytes of one entry. */
  get longestEntry(): number {
    return prefix.length + longestEscape * (maximumLineLength + 1) + Buffer.byteLength(this.#tail) + 64;
  }

  /** Bytes of the source that the last `encode` consumed. */
  get consumed(): number {
    return this.#at;
  }

  /**
   * Encodes lines until the source has no complete one left, `room` bytes are written (the entry that exceeds it is
   * included, as in Docker) or the target might not hold another one. An unfinished line is left, unless it is long
   * enough to be split or the output ends with it.
   *
   * @param time of this step, as formatLogTime prints it
   * @returns bytes written to the target
   */
  encode(source: Uint8Array, target: Uint8Array, room: number, time: string, isEnd: boolean): number {
    this.#at = 0;
    this.#out = 0;
    const limit = target.length - this.longestEntry;
    while (this.#at < source.length && this.#out < room && this.#out <= limit)
      if (!this.#line(source, target, time, isEnd)) break;
    return this.#out;
  }

  /** False when the line is not finished. */
  #line(source: Uint8Array, target: Uint8Array, time: string, isEnd: boolean): boolean {
    const start = this.#at;
    const end = Math.min(source.length, start + maximumLineLength);
    let out = this.#out;
    target.set(prefix, out);
    out += prefix.length;
    let at = start;
    while (at < end) {
      const byte = source[at] as number;
      const kind = kinds[byte];
      if (kind === 0) {
        target[out++] = byte;
        at += 1;
      } else if (kind === 1) {
        if (byte === NEWLINE) break;
        out = put(target, out, escapes[byte] as Buffer);
        at += 1;
      } else {
        const length = characterLength(source, at);
        if (at + sequenceLength(byte) > end && end - start === maximumLineLength && at > start) break;
        out = putCharacter(target, out, source, at, length);
        at += Math.max(length, 1);
      }
    }
    const isComplete = at < source.length && source[at] === NEWLINE;
    const isPiece = at < end || end - start === maximumLineLength;
    if (!isComplete && !isPiece && !isEnd) return false;
    if (isComplete) out = put(target, out, newlineEscape);
    this.#out = put(target, out, this.#suffixFor(this.#partialTime ?? time));
    this.#partialTime = isComplete ? undefined : (this.#partialTime ?? time);
    this.#at = isComplete ? at + 1 : at;
    return true;
  }

  #suffixFor(time: string): Buffer {
    if (this.#suffix.time !== time) this.#suffix = { time, bytes: Buffer.from(`${this.#tail}${time}"}\n`) };
    return this.#suffix.bytes;
  }
}

function put(target: Uint8Array, at: number, bytes: Buffer): number {
  target.set(bytes, at);
  return at + bytes.length;
}

function putCharacter(target: Uint8Array, out: number, source: Uint8Array, at: number, length: number): number {
  if (length === 0) return put(target, out, replacement);
  const isSeparator =
    length === 3 && source[at] === 0xe2 && source[at + 1] === 0x80 && ((source[at + 2] ?? 0) & 0xfe) === 0xa8;
  if (isSeparator) {
    const digit = source[at + 2] === 0xa8 ? 0x38 : 0x39;
    target.set([BACKSLASH, 0x75, 0x32, 0x30, 0x32, digit], out); // \u2028, \u2029: line ends in JavaScript
    return out + 6;
  }
  for (let index = 0; index < length; index += 1) target[out + index] = source[at + index] as number;
  return out + length;
}

/** According to the first byte. */
function sequenceLength(first: number): number {
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/** Length of the UTF-8 character at `at` (RFC 3629); 0 when invalid: each such byte is replaced by itself, as in Go. */
function characterLength(source: Uint8Array, at: number): number {
  const first = source[at] as number;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = source[at + 1] ?? 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  const length = sequenceLength(first);
  for (let index = 2; index < length; index += 1) if (((source[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
