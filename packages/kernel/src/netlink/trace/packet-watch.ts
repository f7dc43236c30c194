/**
 * A watch: programs at the kernel's tracepoints that report a probe's packets in all namespaces of this kernel, with the
 * reason for which it drops one. Packets of others pay for one program per link that receives them.
 */
import { NetyardError } from '@netyard/core';
import type { DroppedPacket, PacketWatch, WatchedPacket, WatchRequest } from '../../packet-trace.ts';
import { attachToTracepoint, BpfQueue } from '../../system/bpf.ts';
import { findSymbols } from '../../system/kernel-symbols.ts';
import { KernelTypes } from '../../system/kernel-types.ts';
import { hostIsLittleEndian, viewOf } from '../attribute.ts';
import { parsePacket } from './headers.ts';
import { checkMatch } from './match.ts';
import { HeldNamespace } from './namespace.ts';
import { takeUpTo } from './take.ts';
import { directionOf } from './tap.ts';
import { encodeWatch, type PacketFields, type RecordKind, record, recordBytes, recordKind } from './watch-program.ts';

/** For one read: more packets than a probe causes. */
const capacity = 2048;
const tracepoints = { in: 'netif_receive_skb', out: 'net_dev_queue', drop: 'kfree_skb' } as const;
/** Packets that a closed socket did not read. */
const ignoredReason = 'QUEUE_PURGE';

/** See `PacketTracing.openPacketWatch`. */
export function openPacketWatch(request: WatchRequest): PacketWatch {
  checkMatch(request.match);
  const opened: (() => void)[] = [];
  try {
    const types = KernelTypes.read();
    const queue = new BpfQueue(recordBytes, capacity);
    opened.push(() => queue.close());
    const fields = findFields(types);
    const kinds: RecordKind[] = [
      'in',
      ...(request.drops === false ? [] : (['drop'] as const)),
      ...(request.outgoing ? (['out'] as const) : []),
    ];
    const programs = new AttachedPrograms();
    opened.push(() => programs.detach(kinds));
    for (const kind of kinds)
      programs.attach(kind, types.tracepoint(tracepoints[kind]), encodeWatch(kind, request.match, fields, queue.fd));
    const namespaces = new WatchedNamespaces(request.namespaces);
    opened.push(() => namespaces.close());
    const reasons = types.enumNames('skb_drop_reason');
    return new BpfPacketWatch(queue, { request, namespaces, reasons, opened, programs });
  } catch (error) {
    for (const close of opened.reverse()) close();
    throw error;
  }
}

class AttachedPrograms {
  readonly #detach = new Map<RecordKind, () => void>();

  /** `type`: as of `attachToTracepoint`. */
  attach(kind: RecordKind, type: number, program: Uint8Array): void {
    this.#detach.set(kind, attachToTracepoint(type, program));
  }

  detach(kinds: readonly RecordKind[]): void {
    for (const kind of kinds) {
      this.#detach.get(kind)?.();
      this.#detach.delete(kind);
    }
  }
}

function findFields(types: KernelTypes): PacketFields {
  const at = (struct: string, name: string): number => types.field(struct, name).offset;
  const { offset, shift } = types.field('sk_buff', 'pkt_type');
  const read = types.functionId('bpf_rdonly_cast');
  if (shift !== 0) throw new NetyardError('unavailable', 'this kernel has pkt_type at another place of its byte');
  return {
    ...{ data: at('sk_buff', 'data'), head: at('sk_buff', 'head'), networkHeader: at('sk_buff', 'network_header') },
    ...{ device: at('sk_buff', 'dev'), socket: at('sk_buff', 'sk'), packetType: offset, length: at('sk_buff', 'len') },
    ...{ linkIndex: at('net_device', 'ifindex'), deviceNamespace: at('net_device', 'nd_net') },
    socketNamespace: at('sock', '__sk_common') + at('sock_common', 'skc_net'),
    namespaceInode: at('net', 'ns') + at('ns_common', 'inum'),
    ...(read === undefined ? {} : { cast: { function: read, header: types.structId('tcphdr') } }),
  };
}

/** The namespaces of the request, by the inodes that the kernel reports. */
class WatchedNamespaces {
  readonly #byInode = new Map<number, { path: string; held: HeldNamespace }>();

  constructor(paths: readonly string[]) {
    try {
      for (const path of paths) {
        const held = new HeldNamespace(path);
        if (this.#byInode.has(held.inode)) held.close();
        else this.#byInode.set(held.inode, { path, held });
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Undefined for other namespaces. Names of links are those of now. */
  place(inode: number, linkIndex: number): { namespace: string; link: string } | undefined {
    const found = this.#byInode.get(inode);
    return found && { namespace: found.path, link: linkIndex === 0 ? '' : found.held.linkName(linkIndex) };
  }

  close(): void {
    for (const { held } of this.#byInode.values()) held.close();
    this.#byInode.clear();
  }
}

interface WatchParts {
  request: WatchRequest;
  namespaces: WatchedNamespaces;
  reasons: ReadonlyMap<number, string>;
  opened: (() => void)[];
  programs: AttachedPrograms;
}

class BpfPacketWatch implements PacketWatch {
  readonly #queue: BpfQueue;
  readonly #parts: WatchParts;
  readonly #symbols = new Map<bigint, string | undefined>();
  incomplete = false;

  constructor(queue: BpfQueue, parts: WatchParts) {
    this.#queue = queue;
    this.#parts = parts;
  }

  async read(): Promise<{ packets: WatchedPacket[]; drops: DroppedPacket[] }> {
    if (this.#parts.opened.length === 0) return { packets: [], drops: [] };
    const records = takeUpTo(capacity, () => this.#queue.take()).map(decodeRecord);
    if (records.length === capacity) this.incomplete = true;
    // CLOCK_MONOTONIC to the time of day, which may differ by microseconds.
    const wallClock = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
    const offset = wallClock - process.hrtime.bigint();
    const all = records.map((one) => ({ ...one, time: one.time + offset })).sort((a, b) => Number(a.time - b.time));
    const packets = all.flatMap((one) => (one.kind === recordKind.drop ? [] : this.#packet(one)));
    return { packets, drops: await this.#drops(all) };
  }

  #packet({ kind, inode, linkIndex, type, time, data }: WatchRecord): WatchedPacket[] {
    const place = this.#parts.namespaces.place(inode, linkIndex);
    const headers = parsePacket(data, this.#parts.request.match.vxlanPorts);
    if (place === undefined || headers === undefined) return [];
    const direction = kind === recordKind.out ? ('out' as const) : directionOf(type);
    return [{ ...place, linkIndex, direction, time, headers }];
  }

  async #drops(all: readonly WatchRecord[]): Promise<DroppedPacket[]> {
    const { reasons, request, namespaces } = this.#parts;
    const drops = all.flatMap((drop, index) => {
      const reason = (reasons.get(drop.reason) ?? `${drop.reason}`).replace(/^SKB_DROP_REASON_/, '');
      const headers = parsePacket(drop.data, request.match.vxlanPorts);
      if (drop.kind !== recordKind.drop || reason === ignoredReason || headers === undefined) return [];
      // Where the same packet was seen last: its own device is overwritten on the way to a socket.
      const seen = all
        .slice(0, index)
        .findLast(({ packet, kind }) => packet === drop.packet && kind !== recordKind.drop);
      const { inode, linkIndex } = seen ?? drop;
      const place = namespaces.place(inode, linkIndex);
      return place === undefined ? [] : [{ reason, headers, time: drop.time, address: drop.location, ...place }];
    });
    const symbols = await this.#findSymbols(drops.map(({ address }) => address));
    return drops.map(({ address, ...drop }) => {
      const location = symbols.get(address);
      return { ...drop, ...(location === undefined ? {} : { location }) };
    });
  }

  /** Each address is looked up once: what is sent again is dropped by the same function. */
  async #findSymbols(addresses: readonly bigint[]): Promise<ReadonlyMap<bigint, string | undefined>> {
    const unknown = addresses.filter((address) => !this.#symbols.has(address));
    const found = await findSymbols(unknown);
    for (const address of unknown) this.#symbols.set(address, found.get(address));
    return this.#symbols;
  }

  stopPackets(): void {
    this.#parts.programs.detach(['in', 'out']);
  }

  close(): void {
    for (const close of this.#parts.opened.splice(0).reverse()) close();
  }
}

interface WatchRecord {
  kind: number;
  time: bigint;
  packet: bigint;
  location: bigint;
  reason: number;
  linkIndex: number;
  inode: number;
  /** PACKET_HOST and so on. */
  type: number;
  data: Uint8Array;
}

/** Pure. */
export function decodeRecord(bytes: Uint8Array): WatchRecord {
  const view = viewOf(bytes);
  const number = (place: number): number => view.getUint32(place, hostIsLittleEndian);
  const long = (place: number): bigint => view.getBigUint64(place, hostIsLittleEndian);
  return {
    ...{ kind: number(record.kind), reason: number(record.reason), linkIndex: number(record.linkIndex) },
    ...{ inode: number(record.namespace), type: view.getUint8(record.type) & 7 },
    ...{ time: long(record.time), packet: long(record.packet), location: long(record.location) },
    data: bytes.subarray(record.data),
  };
}
