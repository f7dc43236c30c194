/**
 * The kernel's own types (BTF, /sys/kernel/btf/vmlinux): offsets of fields, names of enum values, ids of tracepoints. See
 * Documentation/bpf/btf.rst.
 */
import { readFileSync } from 'node:fs';
import { NetyardError } from '@netyard/core';

const path = '/sys/kernel/btf/vmlinux';
const magic = 0xeb9f;
/** Words of struct btf_type. */
const typeWords = 3;
const kind = { struct: 4, union: 5, enum: 6, typedef: 8, volatile: 9, const: 10, function: 12 } as const;
/** Words behind struct btf_type, of each kind: once, or per member (its `vlen`). */
const wordsOnce: readonly number[] = [0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
const wordsEach: readonly number[] = [0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3];

/** Place of a field in a struct. */
export interface FieldPlace {
  /** Bytes from the start of the struct. */
  offset: number;
  /** Bits from there, of a bit field; 0 of others. */
  shift: number;
}

export class KernelTypes {
  readonly #strings: Buffer;
  readonly #words: Int32Array;
  /** Index of each type's first word, by its id. */
  readonly #places: readonly number[];

  /** Throws `unavailable` when the kernel does not describe its types. */
  static read(): KernelTypes {
    try {
      return new KernelTypes(readFileSync(path));
    } catch (error) {
      throw new NetyardError('unavailable', 'this kernel does not describe its types (BTF)', { cause: error });
    }
  }

  constructor(file: Buffer) {
    if (file.length < 24 || file.readUInt16LE(0) !== magic) throw new RangeError('no BTF of this byte order');
    const header = file.readUInt32LE(4);
    const [typeOffset, typeLength, stringOffset, stringLength] = [8, 12, 16, 20].map((at) => file.readUInt32LE(at));
    const part = (offset = 0, length = 0): Buffer => file.subarray(header + offset, header + offset + length);
    this.#strings = part(stringOffset, stringLength);
    const types = Uint8Array.from(part(typeOffset, typeLength)); // aligned
    this.#words = new Int32Array(types.buffer, 0, types.length >> 2);
    this.#places = placesOf(this.#words);
  }

  /** Throws `unavailable` for a struct or a field that this kernel does not have. */
  field(struct: string, name: string): FieldPlace {
    const found = this.#member(this.#find(struct, kind.struct), name);
    if (found === undefined) throw new NetyardError('unavailable', `this kernel's ${struct} has no field ${name}`);
    return { offset: found >> 3, shift: found & 7 };
  }

  /** Names by value, such as those of `enum skb_drop_reason`. */
  enumNames(name: string): Map<number, string> {
    const at = this.#place(this.#find(name, kind.enum));
    const count = this.#word(at + 1) & 0xffff;
    return new Map(
      Array.from({ length: count }, (_, index) => {
        const member = at + typeWords + 2 * index;
        return [this.#word(member + 1), this.#text(this.#word(member))] as const;
      }),
    );
  }

  /** Id of the type that describes a tracepoint's arguments. */
  tracepoint = (name: string): number => this.#find(`btf_trace_${name}`, kind.typedef);

  /** How many arguments a tracepoint has: the first one of its prototype is a program's own. */
  tracepointArguments(name: string): number {
    const pointer = this.#word(this.#place(this.tracepoint(name)) + 2);
    const prototype = this.#word(this.#place(pointer) + 2);
    return (this.#word(this.#place(prototype) + 1) & 0xffff) - 1;
  }

  /** Throws `unavailable`. */
  structId = (name: string): number => this.#find(name, kind.struct);

  /** Undefined for a function that this kernel does not have, or does not describe. */
  functionId = (name: string): number | undefined => this.#search(name, kind.function);

  #find(name: string, ofKind: number): number {
    const id = this.#search(name, ofKind);
    if (id === undefined) throw new NetyardError('unavailable', `this kernel has no ${name}`);
    return id;
  }

  #search(name: string, ofKind: number): number | undefined {
    const offset = this.#strings.indexOf(`\0${name}\0`) + 1;
    const id = offset === 0 ? -1 : this.#places.findIndex((at) => this.#isType(at, offset, ofKind));
    return id < 1 ? undefined : id;
  }

  #isType = (at: number, name: number, ofKind: number): boolean =>
    this.#word(at) === name && kindOf(this.#word(at + 1)) === ofKind;

  /** In bits; looks into members without a name, too. */
  #member(id: number, name: string): number | undefined {
    const at = this.#place(id);
    const info = this.#word(at + 1);
    for (let index = 0; index < (info & 0xffff); index += 1) {
      const member = at + typeWords + 3 * index;
      const text = this.#text(this.#word(member));
      // With the flag in the highest bit, the upper byte is the size of a bit field.
      const bits = info < 0 ? this.#word(member + 2) & 0xffffff : this.#word(member + 2);
      if (text === name) return bits;
      const inner = text === '' ? this.#member(this.#resolve(this.#word(member + 1)), name) : undefined;
      if (inner !== undefined) return bits + inner;
    }
    return undefined;
  }

  /** The type behind names and qualifiers. */
  #resolve(id: number): number {
    const at = this.#place(id);
    const named: readonly number[] = [kind.typedef, kind.volatile, kind.const];
    return named.includes(kindOf(this.#word(at + 1))) ? this.#resolve(this.#word(at + 2)) : id;
  }

  #place = (id: number): number => this.#places[id] ?? 0;
  #word = (at: number): number => this.#words[at] ?? 0;

  #text(offset: number): string {
    return this.#strings.toString('latin1', offset, this.#strings.indexOf(0, offset));
  }
}

const kindOf = (info: number): number => (info >>> 24) & 0x1f;

function placesOf(words: Int32Array): number[] {
  const places = [-1]; // the type void, which has no words
  for (let at = 0; at < words.length; ) {
    places.push(at);
    const info = words[at + 1] ?? 0;
    at += typeWords + (wordsOnce[kindOf(info)] ?? 0) + (wordsEach[kindOf(info)] ?? 0) * (info & 0xffff);
  }
  return places;
}
