/** Bindings to libpcap (pcap(3PCAP)), without logic. The library is loaded at the first call of `libpcap()`. */
import { NetyardError } from '@netyard/core';
import { libc, loadLibrary } from './libc.ts';

/** A pcap_t. */
export type PcapPointer = unknown;
/** A pcap_dumper_t. */
export type DumperPointer = unknown;
/** A FILE. */
export type FilePointer = unknown;

export interface Libpcap {
  /** `error` has 256 bytes; null on failure. */
  pcap_create(source: string, error: Uint8Array): PcapPointer | null;
  pcap_set_snaplen(pcap: PcapPointer, bytes: number): number;
  pcap_set_promisc(pcap: PcapPointer, on: number): number;
  pcap_set_timeout(pcap: PcapPointer, milliseconds: number): number;
  pcap_set_buffer_size(pcap: PcapPointer, bytes: number): number;
  pcap_set_tstamp_precision(pcap: PcapPointer, precision: number): number;
  pcap_activate(pcap: PcapPointer): number;
  pcap_setnonblock(pcap: PcapPointer, on: number, error: Uint8Array): number;
  pcap_get_selectable_fd(pcap: PcapPointer): number;
  pcap_datalink(pcap: PcapPointer): number;
  pcap_snapshot(pcap: PcapPointer): number;
  /**
   * On a thread of the pool, because host names in a filter are resolved. `program` is a struct bpf_program, 16 bytes.
   */
  compileAsync(
    pcap: PcapPointer,
    program: Uint8Array,
    filter: string,
    optimize: number,
    netmask: number,
    done: (error: unknown, result: number) => void,
  ): void;
  pcap_setfilter(pcap: PcapPointer, program: Uint8Array): number;
  pcap_freecode(program: Uint8Array): void;
  /** pcap_dispatch with pcap_dump as its callback: appends up to `most` pending packets to the dumper. */
  dispatchToDumper(pcap: PcapPointer, most: number, dumper: DumperPointer): number;
  pcap_dump_fopen(pcap: PcapPointer, file: FilePointer): DumperPointer | null;
  pcap_dump_flush(dumper: DumperPointer): number;
  /** Closes the file as well. */
  pcap_dump_close(dumper: DumperPointer): void;
  /** `statistics` is a struct pcap_stat: received, dropped, dropped by the interface; 32 bits each. */
  pcap_stats(pcap: PcapPointer, statistics: Uint8Array): number;
  pcap_geterr(pcap: PcapPointer): string;
  pcap_statustostr(status: number): string;
  pcap_close(pcap: PcapPointer): void;
}

/** Debian's file name, then that of other distributions. */
const fileNames = ['libpcap.so.0.8', 'libpcap.so.1'];

function openLibrary() {
  for (const name of fileNames) {
    try {
      return loadLibrary(name);
    } catch {
      // try the next name
    }
  }
  throw new NetyardError('unavailable', 'cannot capture packets: libpcap is not installed on the host', {
    hint: 'apt-get install libpcap0.8   (or dnf install libpcap)',
  });
}

function declareLibpcap(): Libpcap {
  const p = openLibrary();
  const setter = (name: string) =>
    p.declare<(pcap: PcapPointer, value: number) => number>(`int ${name}(void *pcap, int value)`);
  const dump = p.symbol('pcap_dump');
  const dispatch = p.declare<(pcap: PcapPointer, most: number, callback: unknown, user: unknown) => number>(
    'int pcap_dispatch(void *pcap, int most, void *callback, void *user)',
  );
  return {
    pcap_create: p.declare('void *pcap_create(const char *source, uint8_t *error)'),
    pcap_set_snaplen: setter('pcap_set_snaplen'),
    pcap_set_promisc: setter('pcap_set_promisc'),
    pcap_set_timeout: setter('pcap_set_timeout'),
    pcap_set_buffer_size: setter('pcap_set_buffer_size'),
    pcap_set_tstamp_precision: setter('pcap_set_tstamp_precision'),
    pcap_activate: p.declare('int pcap_activate(void *pcap)'),
    pcap_setnonblock: p.declare('int pcap_setnonblock(void *pcap, int on, uint8_t *error)'),
    pcap_get_selectable_fd: p.declare('int pcap_get_selectable_fd(void *pcap)'),
    pcap_datalink: p.declare('int pcap_datalink(void *pcap)'),
    pcap_snapshot: p.declare('int pcap_snapshot(void *pcap)'),
    compileAsync: p.declareAsync(
      'int pcap_compile(void *pcap, uint8_t *program, const char *filter, int optimize, uint32_t netmask)',
    ),
    pcap_setfilter: p.declare('int pcap_setfilter(void *pcap, uint8_t *program)'),
    pcap_freecode: p.declare('void pcap_freecode(uint8_t *program)'),
    dispatchToDumper: (pcap, most, dumper) => dispatch(pcap, most, dump, dumper),
    pcap_dump_fopen: p.declare('void *pcap_dump_fopen(void *pcap, void *file)'),
    pcap_dump_flush: p.declare('int pcap_dump_flush(void *dumper)'),
    pcap_dump_close: p.declare('void pcap_dump_close(void *dumper)'),
    pcap_stats: p.declare('int pcap_stats(void *pcap, uint8_t *statistics)'),
    pcap_geterr: p.declare('const char *pcap_geterr(void *pcap)'),
    pcap_statustostr: p.declare('const char *pcap_statustostr(int status)'),
    pcap_close: p.declare('void pcap_close(void *pcap)'),
  };
}

let loaded: Libpcap | undefined; // a lazily computed constant, not state

/** libpcap, loaded at the first call. Throws `unavailable` where it is not installed. */
export function libpcap(): Libpcap {
  loaded ??= declareLibpcap();
  return loaded;
}

/** A FILE in memory, see open_memstream(3). After a flush, `text` returns what was written since `rewind`. */
export class MemoryFile {
  readonly file: FilePointer;
  /** char *buffer, size_t length: libc writes both at each flush, so they need an ArrayBuffer that never moves. */
  readonly #location = new BigUint64Array(new ArrayBuffer(16));

  constructor() {
    const bytes = new Uint8Array(this.#location.buffer);
    this.file = libc().open_memstream(bytes.subarray(0, 8), bytes.subarray(8));
  }

  /** A copy that stays valid. */
  text(): Buffer {
    const [address = 0n, length = 0n] = this.#location;
    const copy = Buffer.allocUnsafe(Number(length));
    if (copy.length > 0) libc().memcpy(copy, address, copy.length);
    return copy;
  }

  rewind(): void {
    libc().fseek(this.file, 0, 0);
  }

  /** Call after the FILE has been closed. */
  free(): void {
    libc().free(this.#location[0] ?? 0n);
    this.#location.fill(0n);
  }
}
