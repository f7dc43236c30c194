/**
 * One libpcap handle: a packet socket of some namespace with its ring, filter and counters. Synchronous; `capture.ts`
 * waits for packets.
 */
import { NetyardError } from '@netyard/core';
import type { CapturedPacket, PacketCaptureRequest } from '../../packet-capture.ts';
import { checked } from '../../system/calls.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { type DumperPointer, type Libpcap, libpcap, MemoryFile, type PcapPointer } from '../../system/ffi/libpcap.ts';
import { openInNetns } from '../../system/netns.ts';
import { hostIsLittleEndian } from '../attribute.ts';
import { parseRecords } from './records.ts';

/** pcap(3PCAP) */
const PCAP_ERROR_NO_SUCH_DEVICE = -5;
const PCAP_ERROR_PERM_DENIED = -8;
const PCAP_TSTAMP_PRECISION_NANO = 1;
const PCAP_NETMASK_UNKNOWN = 0xffffffff;
/** MAXIMUM_SNAPLEN of tcpdump; no packet is longer. */
const maxSnapLength = 262144;
/** The kernel hands a block of the ring over when it is full or after this time. */
export const blockTimeoutMs = 20;
/** Some 5000 full-size packets: room for those that arrive while this process is busy. */
export const ringBytes = 8 << 20;
const errorLength = 256;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;

export class PcapHandle {
  readonly #pcap: Libpcap;
  readonly #pointer: PcapPointer;
  readonly #memory = new MemoryFile();
  readonly #dumper: DumperPointer;
  /** Counters when the filter was set: packets before that do not belong to the capture. */
  #before = { received: 0, dropped: 0 };
  readonly linkType: number;
  readonly snapLength: number;

  /** Opens the socket in the request's namespace; packets are buffered from here on. `setFilter` sets the filter. */
  constructor(request: PacketCaptureRequest) {
    this.#pcap = libpcap();
    this.#pointer = openInNetns(request.ns, () => activate(this.#pcap, request));
    this.linkType = this.#pcap.pcap_datalink(this.#pointer);
    this.snapLength = this.#pcap.pcap_snapshot(this.#pointer);
    this.#dumper = this.#pcap.pcap_dump_fopen(this.#pointer, this.#memory.file);
    this.#pcap.pcap_dump_flush(this.#dumper); // skip the file header
    this.#memory.rewind();
    this.#requestSignals();
  }

  /** SIGIO when packets are pending or the link was deleted: see fcntl(2). */
  #requestSignals(): void {
    const fd = this.#pcap.pcap_get_selectable_fd(this.#pointer);
    this.#pcap.pcap_setnonblock(this.#pointer, 1, errorText());
    const flags = checked(libc().fcntl(fd, F_GETFL, 0), 'fcntl', 'packet socket');
    checked(libc().fcntl(fd, F_SETOWN, process.pid), 'fcntl', 'packet socket');
    checked(libc().fcntl(fd, F_SETFL, flags | O_ASYNC), 'fcntl', 'packet socket');
  }

  /** Throws `invalid` with the message of libpcap's compiler. Do not read meanwhile. */
  async setFilter(filter: string): Promise<void> {
    const program = new Uint8Array(new ArrayBuffer(16));
    const result = await new Promise<number>((resolve, reject) => {
      const done = (error: unknown, code: number): void => (error ? reject(error) : resolve(code));
      this.#pcap.compileAsync(this.#pointer, program, filter, 1, PCAP_NETMASK_UNKNOWN, done);
    });
    if (result !== 0) throw new NetyardError('invalid', this.#pcap.pcap_geterr(this.#pointer));
    try {
      if (this.#pcap.pcap_setfilter(this.#pointer, program) !== 0)
        throw new NetyardError('failed', `cannot set the filter: ${this.#pcap.pcap_geterr(this.#pointer)}`);
      this.#before = this.#count();
    } finally {
      this.#pcap.pcap_freecode(program);
    }
  }

  /** Up to `most` pending packets, possibly none. Throws when the link was deleted. */
  read(most: number): CapturedPacket[] {
    const result = this.#pcap.dispatchToDumper(this.#pointer, most, this.#dumper);
    if (result < 0) throw new NetyardError('unavailable', this.#pcap.pcap_geterr(this.#pointer));
    if (result === 0) return [];
    this.#pcap.pcap_dump_flush(this.#dumper);
    const bytes = this.#memory.text();
    this.#memory.rewind();
    return parseRecords(bytes, hostIsLittleEndian);
  }

  /** Counters since the filter was set. */
  statistics(): { received: number; dropped: number } {
    const { received, dropped } = this.#count();
    return { received: received - this.#before.received, dropped: dropped - this.#before.dropped };
  }

  #count(): { received: number; dropped: number } {
    const counters = new Uint32Array(new ArrayBuffer(12));
    if (this.#pcap.pcap_stats(this.#pointer, new Uint8Array(counters.buffer)) !== 0)
      throw new NetyardError('failed', `cannot count packets: ${this.#pcap.pcap_geterr(this.#pointer)}`);
    return { received: counters[0] ?? 0, dropped: counters[1] ?? 0 };
  }

  close(): void {
    this.#pcap.pcap_dump_close(this.#dumper);
    this.#memory.free();
    this.#pcap.pcap_close(this.#pointer);
  }
}

const errorText = (): Uint8Array => new Uint8Array(new ArrayBuffer(errorLength));

function activate(pcap: Libpcap, request: PacketCaptureRequest): PcapPointer {
  const error = errorText();
  const pointer = pcap.pcap_create(request.link, error);
  if (pointer === null) throw new NetyardError('failed', `cannot capture: ${Buffer.from(error).toString()}`);
  pcap.pcap_set_snaplen(pointer, Math.min(request.snapLength ?? maxSnapLength, maxSnapLength));
  pcap.pcap_set_promisc(pointer, 1); // on a bridge, frames between its ports are visible in promiscuous mode only
  pcap.pcap_set_timeout(pointer, blockTimeoutMs);
  pcap.pcap_set_buffer_size(pointer, ringBytes);
  pcap.pcap_set_tstamp_precision(pointer, PCAP_TSTAMP_PRECISION_NANO);
  const status = pcap.pcap_activate(pointer);
  if (status >= 0) return pointer;
  const text = `${pcap.pcap_statustostr(status)}: ${pcap.pcap_geterr(pointer)}`;
  pcap.pcap_close(pointer);
  throw activationError(status, request, text);
}

function activationError(status: number, request: PacketCaptureRequest, text: string): Error {
  const object = request.ns === undefined ? request.link : `${request.link} in ${request.ns}`;
  if (status === PCAP_ERROR_NO_SUCH_DEVICE) return kernelError(errnoOf('ENODEV'), 'tcpdump -i', object);
  if (status === PCAP_ERROR_PERM_DENIED) return kernelError(errnoOf('EPERM'), 'tcpdump -i', object);
  return new NetyardError('unavailable', `cannot capture on ${object}: ${text}`);
}
