/**
 * BPF programs that find a probe's packets at the kernel's tracepoints: see Documentation/bpf/standardization. Packets of
 * others leave a program after one read and a few comparisons. Pure.
 */
import type { TraceMatch } from '../../packet-trace.ts';
import { concatBytes, hostIsLittleEndian, viewOf } from '../attribute.ts';
import { type Alternative, alternativesOf, type Condition } from './match.ts';

/** What a program puts into the queue: the places of its fields. */
export const record = {
  ...{ time: 0, packet: 8, location: 16, kind: 24, reason: 28, linkIndex: 32, namespace: 36, type: 40, length: 44 },
  /** From the IP header on, also what is behind a shorter packet in memory. */
  data: 48,
} as const;
const dataBytes = 176;
export const recordBytes = record.data + dataBytes;

export const recordKind = { in: 1, out: 2, drop: 3 } as const;
export type RecordKind = keyof typeof recordKind;

/** Offsets in the structs of this kernel. */
export interface PacketFields {
  /** struct sk_buff */
  data: number;
  head: number;
  networkHeader: number;
  device: number;
  socket: number;
  packetType: number;
  length: number;
  /** struct net_device */
  linkIndex: number;
  deviceNamespace: number;
  /** struct sock */
  socketNamespace: number;
  /** struct net */
  namespaceInode: number;
}

/** Offsets from the frame pointer (r10) downwards. */
const recordAt = -recordBytes;
const headBytes = 48;
const headAt = recordAt - headBytes;
/** A pointer that was read; the header is no longer needed then. */
const pointerAt = headAt;
const ipHeader = { 4: 20, 6: 40 } as const;

/** linux/bpf.h, enum bpf_func_id. */
const helper = { ktime: 5, mapPush: 87, probeRead: 113 } as const;
const op = {
  ...{ move: 0xbf, set: 0xb7, add: 0x0f, addNumber: 0x07, and: 0x57, shiftRight: 0x77 },
  ...{ load1: 0x71, load2: 0x69, load8: 0x79, store4: 0x63, store8: 0x7b, storeNumber4: 0x62, number64: 0x18 },
  ...{ jump: 0x05, jumpIfEqual: 0x15, jumpUnless: 0x55, call: 0x85, exit: 0x95 },
} as const;
const BPF_PSEUDO_MAP_FD = 1;
/** Registers that calls keep: r6 the packet, r7 its IP header or another pointer, r8 a protocol, r9 the arguments. */
const [r0, r1, r2, r3, r6, r7, r8, r9, r10] = [0, 1, 2, 3, 6, 7, 8, 9, 10];

interface Instruction {
  code: number;
  to?: number;
  from?: number;
  offset?: number;
  number?: number;
  /** Label to jump to. */
  jump?: string;
  /** Label of this instruction. */
  at?: string;
}

/** struct bpf_insn, 8 bytes each. `queue` is the descriptor of the queue. */
export function encodeWatch(kind: RecordKind, match: TraceMatch, fields: PacketFields, queue: number): Uint8Array {
  const alternatives = alternativesOf(match);
  return assemble([
    { code: op.move, to: r9, from: r1 },
    { code: op.load8, to: r6, from: r9 },
    ...findHeader(kind, fields),
    ...read(headAt, headBytes, r7),
    { code: op.jumpUnless, to: r0, number: 0, jump: 'out' },
    { code: op.load1, to: r8, from: r10, offset: headAt },
    { code: op.shiftRight, to: r8, number: 4 },
    { code: op.jumpIfEqual, to: r8, number: 6, jump: 'ipv6' },
    { code: op.jumpUnless, to: r8, number: 4, jump: 'out' },
    ...checkIpv4,
    ...alternatives.filter(({ family }) => family === 4).flatMap((one, index) => test(one, `4-${index}`)),
    { code: op.jump, jump: 'out' },
    { code: op.load1, to: r8, from: r10, offset: headAt + 6, at: 'ipv6' },
    ...alternatives.filter(({ family }) => family === 6).flatMap((one, index) => test(one, `6-${index}`)),
    { code: op.jump, jump: 'out' },
    ...report(kind, fields, queue),
    { code: op.set, to: r0, number: 0, at: 'out' },
    { code: op.exit },
  ]);
}

/** r7: address of the IP header. At netif_receive_skb the packet begins with it, and its offset is not known yet. */
const findHeader = (kind: RecordKind, { data, head, networkHeader }: PacketFields): Instruction[] =>
  kind === 'in'
    ? [{ code: op.load8, to: r7, from: r6, offset: data }]
    : [
        { code: op.load8, to: r7, from: r6, offset: head },
        { code: op.load2, to: r2, from: r6, offset: networkHeader },
        { code: op.add, to: r7, from: r2 },
      ];

/** Copies memory of the kernel to the stack; what cannot be read becomes 0, and r0 an error. */
const read = (target: number, length: number, source: number, offset = 0): Instruction[] => [
  { code: op.move, to: r3, from: source },
  { code: op.addNumber, to: r3, number: offset },
  { code: op.move, to: r1, from: r10 },
  { code: op.addNumber, to: r1, number: target },
  { code: op.set, to: r2, number: length },
  { code: op.call, number: helper.probeRead },
];

const networkOrder = (value: number): number =>
  hostIsLittleEndian ? ((value & 0xff) << 8) | ((value >> 8) & 0xff) : value;

/** r8: protocol. Neither options nor later fragments: a probe has none. */
const checkIpv4: Instruction[] = [
  { code: op.load1, to: r2, from: r10, offset: headAt },
  { code: op.jumpUnless, to: r2, number: 0x45, jump: 'out' },
  { code: op.load2, to: r2, from: r10, offset: headAt + 6 },
  { code: op.and, to: r2, number: networkOrder(0x1fff) },
  { code: op.jumpUnless, to: r2, number: 0, jump: 'out' },
  { code: op.load1, to: r8, from: r10, offset: headAt + 9 },
];

/** Jumps to `match` when the packet is this alternative. */
function test({ family, protocol, conditions }: Alternative, label: string): Instruction[] {
  const next = `next-${label}`;
  const start = ipHeader[family];
  const isNear = ({ offset, length }: Condition): boolean => start + offset + length <= headBytes;
  const far = conditions.filter((one) => !isNear(one));
  const compare = (buffer: number, all: readonly Condition[], part: string): Instruction[] =>
    all.flatMap(({ offset, length, values }, index) => {
      const holds = `holds-${label}-${part}${index}`;
      const code = length === 1 ? op.load1 : op.load2;
      return [
        { code, to: r2, from: r10, offset: buffer + start + offset },
        ...values.map((value) => ({
          ...{ code: op.jumpIfEqual, to: r2, jump: holds },
          number: length === 1 ? value : networkOrder(value),
        })),
        { code: op.jump, jump: next },
        nothing(holds),
      ];
    });
  return [
    { code: op.jumpUnless, to: r8, number: protocol, jump: next },
    ...compare(headAt, conditions.filter(isNear), 'n'),
    ...(far.length === 0 ? [] : read(recordAt + record.data, dataBytes, r7)),
    ...compare(recordAt + record.data, far, 'f'),
    { code: op.jump, jump: 'match' },
    nothing(next),
  ];
}

/** A place to jump to: `ja +0`. */
const nothing = (at: string): Instruction => ({ code: op.jump, at });

function report(kind: RecordKind, fields: PacketFields, queue: number): Instruction[] {
  const store = (place: number, number: number): Instruction => ({
    ...{ code: op.storeNumber4, to: r10, offset: recordAt + place, number },
  });
  return [
    nothing('match'),
    ...read(recordAt + record.data, dataBytes, r7),
    { code: op.call, number: helper.ktime },
    { code: op.store8, to: r10, from: r0, offset: recordAt + record.time },
    ...read(recordAt + record.packet, 8, r9),
    store(record.kind, recordKind[kind]),
    ...[record.type, record.linkIndex, record.namespace].map((place) => store(place, 0)),
    ...read(recordAt + record.type, 1, r6, fields.packetType),
    ...read(recordAt + record.length, 4, r6, fields.length),
    ...readDrop(kind, store),
    ...findNamespace(fields),
    { code: op.number64, to: r1, from: BPF_PSEUDO_MAP_FD, number: queue },
    { code: 0 }, // the upper half of the number
    { code: op.move, to: r2, from: r10 },
    { code: op.addNumber, to: r2, number: recordAt },
    { code: op.set, to: r3, number: 0 },
    { code: op.call, number: helper.mapPush },
  ];
}

/** Arguments of kfree_skb: the packet, an address in the function that drops it, the reason. */
const readDrop = (kind: RecordKind, store: (place: number, number: number) => Instruction): Instruction[] =>
  kind === 'drop'
    ? [
        { code: op.load8, to: r2, from: r9, offset: 8 },
        { code: op.store8, to: r10, from: r2, offset: recordAt + record.location },
        { code: op.load8, to: r2, from: r9, offset: 16 },
        { code: op.store4, to: r10, from: r2, offset: recordAt + record.reason },
      ]
    : [record.location, record.location + 4, record.reason].map((place) => store(place, 0));

/** That of the device; packets that left no socket yet, or arrived at one, may have none. */
const findNamespace = (fields: PacketFields): Instruction[] => [
  ...read(pointerAt, 8, r6, fields.device),
  { code: op.load8, to: r7, from: r10, offset: pointerAt },
  { code: op.jumpIfEqual, to: r7, number: 0, jump: 'socket' },
  ...read(recordAt + record.linkIndex, 4, r7, fields.linkIndex),
  ...read(pointerAt, 8, r7, fields.deviceNamespace),
  { code: op.jump, jump: 'namespace' },
  nothing('socket'),
  ...read(pointerAt, 8, r6, fields.socket),
  { code: op.load8, to: r7, from: r10, offset: pointerAt },
  ...read(pointerAt, 8, r7, fields.socketNamespace),
  nothing('namespace'),
  { code: op.load8, to: r7, from: r10, offset: pointerAt },
  ...read(recordAt + record.namespace, 4, r7, fields.namespaceInode),
];

function assemble(program: readonly Instruction[]): Uint8Array {
  const labels = new Map(program.flatMap(({ at }, index) => (at === undefined ? [] : [[at, index] as const])));
  return concatBytes(
    program.map(({ code, to = 0, from = 0, offset = 0, number = 0, jump }, index) => {
      const bytes = new Uint8Array(8);
      const view = viewOf(bytes);
      view.setUint8(0, code);
      view.setUint8(1, hostIsLittleEndian ? (from << 4) | to : (to << 4) | from);
      view.setInt16(2, jump === undefined ? offset : (labels.get(jump) ?? 0) - index - 1, hostIsLittleEndian);
      view.setInt32(4, number, hostIsLittleEndian);
      return bytes;
    }),
  );
}
