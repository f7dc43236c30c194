/** Gathers log entries into chunks, which are transferred to another thread without copying. */
import type { OutputStream } from './capture-state.ts';
import { LineDecoder } from './decode-lines.ts';
import { chunkSize } from './log-protocol.ts';

/** Smaller chunks are copied, and their memory reused. */
const copiedSize = 16 * 1024;

export class ChunkWriter {
  readonly #decoder: LineDecoder;
  readonly #framed: boolean;
  readonly #send: (stream: OutputStream, data: Uint8Array) => void;
  /** Memory of chunks that were consumed. */
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #chunk = Buffer.allocUnsafeSlow(chunkSize);
  #used = 0;
  #stream: OutputStream = 'stdout';

  /** @param send gets the only reference to the memory of `data` */
  constructor(decoder: LineDecoder, framed: boolean, send: (stream: OutputStream, data: Uint8Array) => void) {
    this.#decoder = decoder;
    this.#framed = framed;
    this.#send = send;
  }

  /** Adds the line `source[from, to)`. Returns true when a chunk was sent. */
  add(source: Buffer, from: number, to: number): boolean {
    const needed = LineDecoder.needs(to - from);
    const isFull = this.#used + needed > this.#chunk.length && this.#used > 0;
    if (isFull) this.flush();
    if (needed > this.#chunk.length) this.#chunk = Buffer.allocUnsafeSlow(needed);
    const before = this.#used;
    const { end, stream } = this.#decoder.decode(source, from, to, this.#chunk, before);
    if (end === before) return isFull;
    if (this.#framed || stream === this.#stream || before === 0) {
      this.#stream = stream;
      this.#used = end;
      return isFull;
    }
    const entry = Buffer.from(this.#chunk.subarray(before, end)); // one chunk, one stream
    this.flush();
    this.#stream = stream;
    this.#used = entry.copy(this.#chunk);
    return true;
  }

  /** Takes the memory of a consumed chunk, for a later one. */
  reuse(memory: ArrayBuffer): void {
    this.#free.push(Buffer.from(memory));
  }

  /** Sends the pending entries. */
  flush(): void {
    if (this.#used === 0) return;
    const data = this.#chunk.subarray(0, this.#used);
    this.#used = 0;
    const isCopied = data.length < copiedSize;
    if (!isCopied) this.#chunk = this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkSize);
    this.#send(this.#stream, isCopied ? Uint8Array.from(data) : data);
  }
}
