/**
 * Cuts a byte stream into log lines as Docker's copier does: at newlines, and after 16 KiB without one. Pure but for
 * its own buffer; does no I/O.
 */

/** Docker's limit of one log entry. */
export const maximumLineLength = 16 * 1024;

export interface Line {
  /** Without the newline. */
  text: Buffer;
  /** True when a newline ended it; false for a piece of a longer line. */
  complete: boolean;
  /** Bytes of the stream up to and with this line. */
  consumed: number;
}

export class LineSplitter {
  #pending: Buffer = Buffer.alloc(0);
  #consumed: number;

  /** @param consumed where in its stream the first byte that will be pushed stands */
  constructor(consumed = 0) {
    this.#consumed = consumed;
  }

  /** Where the next byte that `push` expects stands. */
  get position(): number {
    return this.#consumed + this.#pending.length;
  }

  push(bytes: Buffer): Line[] {
    const data = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const newline = data.indexOf(10, start);
      const end = newline < 0 ? data.length : newline;
      while (end - start > maximumLineLength || (newline < 0 && end - start === maximumLineLength)) {
        const cut = start + pieceLength(data.subarray(start, start + maximumLineLength));
        lines.push(this.#line(data.subarray(start, cut), false, cut - start));
        start = cut;
      }
      if (newline < 0) break;
      lines.push(this.#line(data.subarray(start, newline), true, newline + 1 - start));
      start = newline + 1;
    }
    this.#pending = Buffer.from(data.subarray(start));
    return lines;
  }

  /** What is left without a newline when the stream has ended. */
  end(): Line[] {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest.length === 0 ? [] : [this.#line(rest, false, rest.length)];
  }

  #line(text: Buffer, complete: boolean, length: number): Line {
    this.#consumed += length;
    return { text, complete, consumed: this.#consumed };
  }
}

/** At most the whole piece, less the beginning of a UTF-8 character that ends in the next one. */
function pieceLength(piece: Buffer): number {
  for (let back = 1; back <= 3; back += 1) {
    const byte = piece[piece.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? piece.length - back : piece.length;
  }
  return piece.length;
}
