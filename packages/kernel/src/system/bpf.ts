/**
 * Programs and maps of BPF: bpf(2). All of them end with their descriptors, so also with the process: nothing is pinned.
 */
import { NetyardError } from '@netyard/core';
import { checked, closeFile, closeInBackground } from './calls.ts';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { libc, type NativeMemory } from './ffi/libc.ts';
import { readIfExists } from './read-if-exists.ts';

const SYS_bpf = process.arch === 'x64' ? 321 : 280;
/** linux/bpf.h, enum bpf_cmd. */
const command = { mapCreate: 0, programLoad: 5, tracepointOpen: 17, mapTake: 21, mapTakeBatch: 25 } as const;
const BPF_MAP_TYPE_PERCPU_HASH = 5;
const BPF_MAP_TYPE_QUEUE = 22;
const BPF_PROG_TYPE_TRACING = 26;
const BPF_TRACE_RAW_TP = 23;
const attributeBytes = 144;
const memoryBytes = 128 << 10;
/** Of the memory: program, then license, then the verifier's log. */
const licenseOffset = 32 << 10;
const logOffset = 64 << 10;
const license = 'GPL\0';
/** The verifier stops with EAGAIN when a signal, or other work for this thread, is pending. */
const maxAttempts = 100;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

let memory: NativeMemory | undefined; // memory that is never freed, not state

function sharedMemory(): NativeMemory {
  memory ??= libc().allocate(memoryBytes);
  return memory;
}

/** `read` reads what the kernel wrote into the attributes. */
function bpf(number: number, fill: (attributes: DataView) => void, read?: (attributes: DataView) => void): number {
  const attributes = new Uint8Array(attributeBytes);
  const view = new DataView(attributes.buffer);
  fill(view);
  const result = libc().syscallBpf(SYS_bpf, number, attributes, attributes.length);
  read?.(view);
  return result;
}

/** Values that programs put in and this process takes out, in order; programs lose what does not fit. */
export class BpfQueue {
  readonly fd: number;
  readonly #valueBytes: number;

  /** Throws KernelError EPERM. */
  constructor(valueBytes: number, capacity: number) {
    this.#valueBytes = valueBytes;
    const created = bpf(command.mapCreate, (view) => {
      view.setUint32(0, BPF_MAP_TYPE_QUEUE, littleEndian);
      view.setUint32(8, valueBytes, littleEndian);
      view.setUint32(12, capacity, littleEndian);
    });
    this.fd = checked(created, 'bpf', 'map of type queue');
  }

  /** Undefined when the queue is empty. */
  take(): Uint8Array | undefined {
    const { address, bytes } = sharedMemory();
    const taken = bpf(command.mapTake, (view) => {
      view.setUint32(0, this.fd, littleEndian);
      view.setBigUint64(16, address, littleEndian);
    });
    if (taken === 0) return bytes.slice(0, this.#valueBytes);
    const errno = libc().errno();
    if (errno === errnoOf('ENOENT')) return undefined;
    throw kernelError(errno, 'bpf', 'map of type queue');
  }

  close(): void {
    closeFile(this.fd);
  }
}

/** Counts by key, of 64 bits, that programs add to on each processor. */
export class BpfCounters {
  readonly fd: number;
  readonly #keyBytes: number;
  readonly #processors = countPossibleProcessors();

  /** Keys beyond `capacity` are not counted until the next `take`. Throws KernelError EPERM. */
  constructor(keyBytes: number, capacity: number) {
    this.#keyBytes = keyBytes;
    const created = bpf(command.mapCreate, (view) => {
      view.setUint32(0, BPF_MAP_TYPE_PERCPU_HASH, littleEndian);
      view.setUint32(4, keyBytes, littleEndian);
      view.setUint32(8, 8, littleEndian);
      view.setUint32(12, capacity, littleEndian);
    });
    this.fd = checked(created, 'bpf', 'map of counters');
  }

  /** All keys and their counts, which are removed. A packet that is counted meanwhile may be missed. */
  take(): { key: Uint8Array; count: number }[] {
    const taken: { key: Uint8Array; count: number }[] = [];
    for (let isFirst = true; this.#takeBatch(isFirst, taken); isFirst = false);
    return taken;
  }

  /** Whether there are more. In memory: a position of 8 bytes, then the keys, then a value per key and processor. */
  #takeBatch(isFirst: boolean, taken: { key: Uint8Array; count: number }[]): boolean {
    const { address, bytes } = sharedMemory();
    const valueBytes = 8 * this.#processors;
    const batch = Math.floor((memoryBytes - 16) / (this.#keyBytes + valueBytes));
    const keysAt = 8;
    const valuesAt = memoryBytes - batch * valueBytes;
    let count = 0;
    const done = bpf(
      command.mapTakeBatch,
      (view) => {
        view.setBigUint64(0, isFirst ? 0n : address, littleEndian);
        view.setBigUint64(8, address, littleEndian);
        view.setBigUint64(16, address + BigInt(keysAt), littleEndian);
        view.setBigUint64(24, address + BigInt(valuesAt), littleEndian);
        view.setUint32(32, batch, littleEndian);
        view.setUint32(36, this.fd, littleEndian);
      },
      (view) => {
        count = view.getUint32(32, littleEndian);
      },
    );
    const isLast = done < 0;
    if (isLast && libc().errno() !== errnoOf('ENOENT')) throw kernelError(libc().errno(), 'bpf', 'map of counters');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let index = 0; index < count; index += 1) {
      const keyAt = keysAt + index * this.#keyBytes;
      let sum = 0;
      for (let processor = 0; processor < this.#processors; processor += 1)
        sum += Number(view.getBigUint64(valuesAt + index * valueBytes + 8 * processor, littleEndian));
      taken.push({ key: bytes.slice(keyAt, keyAt + this.#keyBytes), count: sum });
    }
    return !isLast;
  }

  close(): void {
    closeFile(this.fd);
  }
}

/** Processors that values of a map have a place for. */
function countPossibleProcessors(): number {
  const list = readIfExists('/sys/devices/system/cpu/possible')?.trim() ?? '0';
  return list.split(',').reduce((sum, range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return sum + last - first + 1;
  }, 0);
}

/**
 * Runs a program at a tracepoint of the kernel until the returned function is called. `type` is the id of its arguments in
 * the kernel's BTF. Throws KernelError EPERM, and `unavailable` when the verifier rejects the program.
 */
export function attachToTracepoint(type: number, instructions: Uint8Array): () => void {
  const program = loadProgram(type, instructions);
  try {
    const opened = bpf(command.tracepointOpen, (view) => view.setUint32(8, program, littleEndian));
    const link = checked(opened, 'bpf', 'tracepoint');
    return () => closeInBackground(link);
  } finally {
    closeFile(program); // the link holds it
  }
}

function loadProgram(type: number, instructions: Uint8Array): number {
  if (instructions.length > licenseOffset) throw new RangeError('the program is too long');
  const { address, bytes } = sharedMemory();
  bytes.set(instructions);
  bytes.set(Buffer.from(license), licenseOffset);
  const load = (logLevel: number): number =>
    bpf(command.programLoad, (view) => {
      view.setUint32(0, BPF_PROG_TYPE_TRACING, littleEndian);
      view.setUint32(4, instructions.length / 8, littleEndian);
      view.setBigUint64(8, address, littleEndian);
      view.setBigUint64(16, address + BigInt(licenseOffset), littleEndian);
      view.setUint32(24, logLevel, littleEndian);
      view.setUint32(28, logLevel === 0 ? 0 : memoryBytes - logOffset, littleEndian);
      view.setBigUint64(32, logLevel === 0 ? 0n : address + BigInt(logOffset), littleEndian);
      view.setUint32(68, BPF_TRACE_RAW_TP, littleEndian);
      view.setUint32(108, type, littleEndian);
    });
  let loaded = load(0);
  for (let attempt = 1; loaded < 0 && libc().errno() === errnoOf('EAGAIN') && attempt < maxAttempts; attempt += 1)
    loaded = load(0);
  if (loaded >= 0) return loaded;
  const errno = libc().errno();
  if (errno !== errnoOf('EACCES') && errno !== errnoOf('EINVAL')) throw kernelError(errno, 'bpf', 'program');
  const again = load(1);
  if (again >= 0) return again;
  const log = Buffer.from(bytes.subarray(logOffset)).toString('latin1').replace(/\0.*$/s, '').trim();
  throw new NetyardError('unavailable', `this kernel rejects a program: ${log.split('\n').slice(-3).join(' / ')}`);
}
