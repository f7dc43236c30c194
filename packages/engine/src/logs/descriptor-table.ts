/**
 * The descriptors that a worker thread has open, in shared memory: when the thread fails, its owner closes them. One bit
 * each; lock-free, as a thread may end at any instruction.
 */

/** Highest descriptor that is tracked, plus one: the kernel's default for fs.nr_open. */
const tracked = 1024 * 1024;

export class DescriptorTable {
  /** Passed to the thread. Its pages take no memory until they are written. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(tracked / 8)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  add(fd: number): void {
    if (fd < tracked) Atomics.or(this.#words, fd >> 5, 1 << (fd & 31));
  }

  /** Call it before closing: a descriptor that is not listed any more may leak, one listed too long is closed twice. */
  delete(fd: number): void {
    if (fd < tracked) Atomics.and(this.#words, fd >> 5, ~(1 << (fd & 31)));
  }

  /** Empties the table. */
  takeAll(): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.#words.length; index += 1) {
      if (Atomics.load(this.#words, index) === 0) continue;
      const word = Atomics.exchange(this.#words, index, 0);
      for (let bit = 0; bit < 32; bit += 1) if (word & (1 << bit)) found.push(index * 32 + bit);
    }
    return found;
  }
}
