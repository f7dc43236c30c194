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

function numberAttribute(type: number, size: number, write: (view: DataView) => void): Attribute {
  const value = new Uint8Array(size);
  write(new DataView(value.buffer));
  return { type, value };
}

export const u8 = (type: number, value: number): Attribute => ({ type, value: Uint8Array.of(value) });
export const u16 = (type: number, value: number): Attribute =>
  numberAttribute(type, 2, (view) => view.setUint16(0, value, hostIsLittleEndian));
export const u32 = (type: number, value: number): Attribute =>
  numberAttribute(type, 4, (view) => view.setUint32(0, value, hostIsLittleEndian));
/** 16 bits in network byte order, as ports are. */
export const be16 = (type: number, value: number): Attribute =>
  numberAttribute(type, 2, (view) => view.setUint16(0, value));
export const be32 = (type: number, value: number): Attribute =>
  numberAttribute(type, 4, (view) => view.setUint32(0, value));
export const bytes = (type: number, value: Uint8Array): Attribute => ({ type, value });
/** NUL-terminated text. */
export const text = (type: number, value: string): Attribute => ({
  type,
  value: new Uint8Array(Buffer.from(`${value}\0`, 'utf8')),
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
  const view = new DataView(all.buffer);
  let offset = 0;
  for (const { type, value } of attributes) {
    view.setUint16(offset, headerLength + value.length, hostIsLittleEndian);
    view.setUint16(offset + 2, type, hostIsLittleEndian);
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
  const view = viewOf(all);
  let offset = 0;
  while (offset + headerLength <= all.length) {
    const length = view.getUint16(offset, hostIsLittleEndian);
    if (length < headerLength || offset + length > all.length) return;
    const type = view.getUint16(offset + 2, hostIsLittleEndian) & NLA_TYPE_MASK;
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
    return value && value.length >= 2 ? viewOf(value).getUint16(0, hostIsLittleEndian) : undefined;
  }

  u32(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 4 ? viewOf(value).getUint32(0, hostIsLittleEndian) : undefined;
  }

  s32(type: number): number | undefined {
    const value = this.u32(type);
    return value === undefined ? undefined : value | 0;
  }

  be16(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 2 ? viewOf(value).getUint16(0) : undefined;
  }

  be32(type: number): number | undefined {
    const value = this.#byType.get(type);
    return value && value.length >= 4 ? viewOf(value).getUint32(0) : undefined;
  }

  /** The attributes inside a nested attribute; empty when it is absent. */
  nested(type: number): Attributes {
    return new Attributes(this.#byType.get(type) ?? new Uint8Array());
  }
}

export const viewOf = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);
