/**
 * Encodes and decodes netlink attributes (type, length, value; padded to four bytes). Pure.
 *
 * Numbers are in host byte order unless the attribute is defined in network byte order. See linux/netlink.h.
 */

/** Whether the host is little-endian. */
export const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const headerLength = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

export interface Attribute {
  type: number;
  value: Uint8Array;
}

export const align4 = (length: number): number => (length + 3) & ~3;

/**
 * Numbers are written and read byte by byte: a DataView costs more than its number, and gives a small array a buffer of
 * its own outside of the garbage-collected heap. Missing bytes are read as 0.
 */
const byteAt = (data: Uint8Array, at: number): number => data[at] ?? 0;

function putLittleEndian16(data: Uint8Array, at: number, value: number): void {
  data[at] = value;
  data[at + 1] = value >>> 8;
}

function putBigEndian16(data: Uint8Array, at: number, value: number): void {
  data[at] = value >>> 8;
  data[at + 1] = value;
}

function putLittleEndian32(data: Uint8Array, at: number, value: number): void {
  putLittleEndian16(data, at, value);
  putLittleEndian16(data, at + 2, value >>> 16);
}

function putBigEndian32(data: Uint8Array, at: number, value: number): void {
  putBigEndian16(data, at, value >>> 16);
  putBigEndian16(data, at + 2, value);
}

const getLittleEndian16 = (data: Uint8Array, at: number): number => byteAt(data, at) | (byteAt(data, at + 1) << 8);
const getBigEndian16 = (data: Uint8Array, at: number): number => (byteAt(data, at) << 8) | byteAt(data, at + 1);
const getLittleEndian32 = (data: Uint8Array, at: number): number =>
  (getLittleEndian16(data, at) | (getLittleEndian16(data, at + 2) << 16)) >>> 0;
const getBigEndian32 = (data: Uint8Array, at: number): number =>
  ((getBigEndian16(data, at) << 16) | getBigEndian16(data, at + 2)) >>> 0;

/** In host byte order. */
export const putU16 = hostIsLittleEndian ? putLittleEndian16 : putBigEndian16;
export const putU32 = hostIsLittleEndian ? putLittleEndian32 : putBigEndian32;
export const getU16 = hostIsLittleEndian ? getLittleEndian16 : getBigEndian16;
export const getU32 = hostIsLittleEndian ? getLittleEndian32 : getBigEndian32;

function numberAttribute(type: number, size: number, value: number, put: typeof putU16): Attribute {
  const content = new Uint8Array(size);
  put(content, 0, value);
  return { type, value: content };
}

export const u8 = (type: number, value: number): Attribute => ({ type, value: Uint8Array.of(value) });
export const u16 = (type: number, value: number): Attribute => numberAttribute(type, 2, value, putU16);
export const u32 = (type: number, value: number): Attribute => numberAttribute(type, 4, value, putU32);
/** 16 bits in network byte order, as ports are. */
export const be16 = (type: number, value: number): Attribute => numberAttribute(type, 2, value, putBigEndian16);
export const be32 = (type: number, value: number): Attribute => numberAttribute(type, 4, value, putBigEndian32);
export const bytes = (type: number, value: Uint8Array): Attribute => ({ type, value });
/** NUL-terminated text. */
export const text = (type: number, value: string): Attribute => ({
  type,
  value: Buffer.from(`${value}\0`, 'utf8'),
});
export const nested = (type: number, inside: readonly Attribute[], head: Uint8Array = new Uint8Array()): Attribute => ({
  type: type | NLA_F_NESTED,
  value: concatBytes([head, encodeAttributes(inside)]),
});

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  const all = new Uint8Array(attributes.reduce((sum, { value }) => sum + headerLength + align4(value.length), 0));
  let offset = 0;
  for (const { type, value } of attributes) {
    putU16(all, offset, headerLength + value.length);
    putU16(all, offset + 2, type);
    all.set(value, offset + headerLength);
    offset += headerLength + align4(value.length);
  }
  return all;
}

/**
 * Attributes in order, with the flags removed from their types. Stops at the first that does not fit, as the kernel
 * does.
 */
export function* eachAttribute(all: Uint8Array): Generator<Attribute> {
  let offset = 0;
  while (offset + headerLength <= all.length) {
    const length = getU16(all, offset);
    if (length < headerLength || offset + length > all.length) return;
    const type = getU16(all, offset + 2) & NLA_TYPE_MASK;
    yield { type, value: all.subarray(offset + headerLength, offset + length) };
    offset += align4(length);
  }
}

/** The first attribute of a type, without decoding the rest: for large dumps where only one attribute is needed. */
export function firstAttribute(all: Uint8Array, soughtType: number): Uint8Array | undefined {
  for (const { type, value } of eachAttribute(all)) if (type === soughtType) return value;
  return undefined;
}

/** Attributes by type; the last of several with the same type. */
export class Attributes {
  readonly #byType = new Map<number, Uint8Array>();

  constructor(all: Uint8Array) {
    for (const { type, value } of eachAttribute(all)) this.#byType.set(type, value);
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#byType.get(type);
  }

  text(type: number): string | undefined {
    const value = this.#byType.get(type);
    return value && Buffer.from(value).toString('utf8').replace(/\0.*$/s, '');
  }

  u8(type: number): number | undefined {
    return this.#byType.get(type)?.[0];
  }

  u16(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 2 ? getU16(value, 0) : undefined;
  }

  u32(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 4 ? getU32(value, 0) : undefined;
  }

  s32(type: number): number | undefined {
    const value = this.u32(type);
    return value === undefined ? undefined : value | 0;
  }

  be16(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 2 ? getBigEndian16(value, 0) : undefined;
  }

  be32(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 4 ? getBigEndian32(value, 0) : undefined;
  }

  /** The attributes inside a nested attribute; empty when it is absent. */
  nested(type: number): Attributes {
    return new Attributes(this.#byType.get(type) ?? new Uint8Array());
  }
}

export const viewOf = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);
