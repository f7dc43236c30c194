/**
 * Programs and queues of BPF: bpf(2). All of them end with their descriptors, so also with the process: nothing is pinned.
 */
import { NetyardError } from '@netyard/core';
import { checked, closeFile, closeInBackground } from './calls.ts';
import { errnoOf, kernelError } from './ffi/errno.ts';
import { libc, type NativeMemory } from './ffi/libc.ts';

const SYS_bpf = process.arch === 'x64' ? 321 : 280;
/** linux/bpf.h, enum bpf_cmd. */
const command = { mapCreate: 0, programLoad: 5, tracepointOpen: 17, mapTake: 21 } as const;
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

function bpf(number: number, fill: (attributes: DataView) => void): number {
  const attributes = new Uint8Array(attributeBytes);
  fill(new DataView(attributes.buffer));
  return libc().syscallBpf(SYS_bpf, number, attributes, attributes.length);
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
