/**
 * Tracepoints by perf_event_open(2): the kernel writes events to a ring buffer per CPU, which this file reads. Everything
 * ends with the descriptors, so also with the process.
 */
import { readFileSync } from 'node:fs';
import { checked, closeInBackground } from './calls.ts';
import { kernelError } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

const SYS_perf_event_open = process.arch === 'x64' ? 298 : 241;
const attributeBytes = 112; // PERF_ATTR_SIZE_VER5
const PERF_TYPE_TRACEPOINT = 2;
const PERF_SAMPLE_TIME = 1 << 2;
const PERF_SAMPLE_RAW = 1 << 10;
/** use_clockid is bit 25 of the flags. */
const useClockId = 1n << 25n;
const CLOCK_MONOTONIC = 1;
const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_EVENT_IOC_SET_OUTPUT = 0x2405;
const PERF_EVENT_IOC_SET_FILTER = 0x40082406;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** struct perf_event_mmap_page */
const headOffset = 1024;
const tailOffset = 1032;
const dataOffsetOffset = 1040;
const dataSizeOffset = 1048;
const dataBytes = 128 << 10;
/** Of the architectures that Node runs on; a wrong one makes mmap fail with EINVAL. */
const pageSizes = [4096, 16384, 65536];
const recordHeader = 8;
const mapFailed = BigInt.asUintN(64, -1n);
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface Tracepoint {
  /** The content of the event's file `id` in tracefs. */
  id: number;
  /** In the syntax of tracefs: `len == 61`. Default: all events. */
  filter?: string;
}

export interface TracepointEvent {
  /** Nanoseconds of CLOCK_MONOTONIC, as `process.hrtime.bigint()` has it. */
  time: bigint;
  /** As the event's file `format` in tracefs describes it. */
  data: Uint8Array;
}

export class TracepointEvents {
  readonly #rings: Ring[] = [];
  /** Whether events were lost because a buffer was full. */
  lost = false;

  /** Throws KernelError EACCES, EPERM, ENOENT (no such event), EINVAL (filter). */
  constructor(tracepoints: readonly Tracepoint[]) {
    try {
      for (const cpu of onlineCpus()) this.#rings.push(new Ring(cpu, tracepoints));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Pending events of all CPUs in the order of their times. */
  read(): TracepointEvent[] {
    const events: TracepointEvent[] = [];
    for (const ring of this.#rings) {
      const { samples, lost } = parseRecords(ring.take());
      this.lost ||= lost;
      for (const sample of samples) events.push(sample);
    }
    return events.sort((one, other) => (one.time < other.time ? -1 : Number(one.time > other.time)));
  }

  close(): void {
    for (const ring of this.#rings.splice(0)) ring.close();
  }
}

/** `0-3,6` as numbers. */
function onlineCpus(): number[] {
  const ranges = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim().split(',');
  return ranges.flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The buffer of one CPU, which all events share. */
class Ring {
  readonly #fds: number[] = [];
  #length = 0;
  #address = 0n;
  #data = 0n;
  #size = 0;

  constructor(cpu: number, tracepoints: readonly Tracepoint[]) {
    try {
      for (const tracepoint of tracepoints) this.#open(cpu, tracepoint);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(cpu: number, { id, filter }: Tracepoint): void {
    const object = `tracepoint ${id}`;
    const attributes = encodeAttributes(id);
    const open = libc().syscallPerfEventOpen(SYS_perf_event_open, attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    const fd = checked(open, 'perf_event_open', object);
    this.#fds.push(fd);
    if (filter !== undefined) {
      const text = new Uint8Array(Buffer.from(`${filter}\0`));
      checked(libc().ioctl(fd, PERF_EVENT_IOC_SET_FILTER, text), 'ioctl SET_FILTER', `${object}: ${filter}`);
    }
    const [first = fd] = this.#fds;
    if (first === fd) this.#map(fd, object);
    else checked(libc().ioctlNumber(fd, PERF_EVENT_IOC_SET_OUTPUT, first), 'ioctl SET_OUTPUT', object);
  }

  #map(fd: number, object: string): void {
    for (const page of pageSizes) {
      const length = page + dataBytes;
      const address = BigInt.asUintN(64, BigInt(libc().mmap(0, length, PROT_READ_WRITE, MAP_SHARED, fd, 0)));
      if (address === mapFailed) continue;
      this.#address = address;
      this.#length = length;
      this.#data = address + this.#number(dataOffsetOffset);
      this.#size = Number(this.#number(dataSizeOffset));
      return;
    }
    throw kernelError(libc().errno(), 'mmap', object);
  }

  #number(offset: number): bigint {
    const value = new BigUint64Array(1);
    libc().memcpy(new Uint8Array(value.buffer), this.#address + BigInt(offset), 8);
    return value[0] ?? 0n;
  }

  /** A copy of what was written since the last call. */
  take(): Uint8Array {
    const head = this.#number(headOffset);
    const tail = this.#number(tailOffset);
    const data = new Uint8Array(Number(head - tail));
    const start = Number(tail % BigInt(this.#size));
    const first = Math.min(data.length, this.#size - start);
    if (first > 0) libc().memcpy(data.subarray(0, first), this.#data + BigInt(start), first);
    if (first < data.length) libc().memcpy(data.subarray(first), this.#data, data.length - first);
    libc().memcpyTo(this.#address + BigInt(tailOffset), new Uint8Array(new BigUint64Array([head]).buffer), 8);
    return data;
  }

  close(): void {
    if (this.#address !== 0n) checked(libc().munmap(this.#address, this.#length), 'munmap', 'perf events');
    this.#address = 0n;
    for (const fd of this.#fds.splice(0)) closeInBackground(fd);
  }
}

/** struct perf_event_attr. */
function encodeAttributes(id: number): Uint8Array {
  const bytes = new Uint8Array(attributeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, PERF_TYPE_TRACEPOINT, littleEndian);
  view.setUint32(4, attributeBytes, littleEndian);
  view.setBigUint64(8, BigInt(id), littleEndian);
  view.setBigUint64(16, 1n, littleEndian); // each event is sampled
  view.setBigUint64(24, BigInt(PERF_SAMPLE_TIME | PERF_SAMPLE_RAW), littleEndian);
  view.setBigUint64(40, useClockId, littleEndian);
  view.setInt32(92, CLOCK_MONOTONIC, littleEndian);
  return bytes;
}

/** Records of a ring buffer: struct perf_event_header (type, misc, size), then what the type has. Pure. */
export function parseRecords(bytes: Uint8Array): { samples: TracepointEvent[]; lost: boolean } {
  const samples: TracepointEvent[] = [];
  let lost = false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + recordHeader <= bytes.length; ) {
    const type = view.getUint32(offset, littleEndian);
    const size = view.getUint16(offset + 6, littleEndian);
    if (size < recordHeader) break;
    if (type === PERF_RECORD_LOST) lost = true;
    if (type === PERF_RECORD_SAMPLE) {
      const time = view.getBigUint64(offset + recordHeader, littleEndian);
      const length = view.getUint32(offset + recordHeader + 8, littleEndian);
      const start = offset + recordHeader + 12;
      samples.push({ time, data: bytes.subarray(start, start + length) });
    }
    offset += size;
  }
  return { samples, lost };
}
