/**
 * Converts between bytes and strings without loss. File names are bytes, JavaScript strings are UTF-16: bytes that are
 * not valid UTF-8 become lone surrogates U+DC80 to U+DCFF, one per byte, and are converted back to the same bytes (as
 * in Python's PEP 383). Pure.
 */

const firstEscape = 0xdc80;
const lastEscape = 0xdcff;

/** Converts any bytes to text that `bytesOf` converts back to exactly these bytes. */
export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  return text.includes('\ufffd') && !Buffer.from(text).equals(bytes) ? escaped(bytes) : text;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceAt(bytes, at);
    text +=
      length === 0
        ? String.fromCharCode(firstEscape - 0x80 + (bytes[at] ?? 0))
        : decoder.decode(bytes.subarray(at, at + length));
    at += Math.max(1, length);
  }
  return text;
}

/** Range of the second byte after these first ones, where it is smaller: no overlong forms, surrogates or more than U+10FFFF. */
const secondBytes = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

/**
 * Length of the valid UTF-8 sequence at a position; 0 when there is none (RFC 3629). Not by trying to decode it: an
 * exception for each byte of a file takes a second.
 */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const [lowest = 0x80, highest = 0xbf] = secondBytes.get(first) ?? [];
  for (let index = 1; index < length; index += 1) {
    const byte = bytes[at + index] ?? 0;
    if (byte < (index === 1 ? lowest : 0x80) || byte > (index === 1 ? highest : 0xbf)) return 0;
  }
  return length;
}

export function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isEscape = code >= firstEscape && code <= lastEscape;
    parts.push(isEscape ? Buffer.from([code - firstEscape + 0x80]) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

/** A path for node:fs, which writes strings as UTF-8. */
export const fsPath = (text: string): string | Buffer => (text.isWellFormed() ? text : bytesOf(text));

/** The bytes with a terminating NUL. */
export const cString = (text: string): Buffer => Buffer.concat([bytesOf(text), Buffer.alloc(1)]);
