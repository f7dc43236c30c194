/**
 * BPF programs that find a probe's packets at the kernel's tracepoints: see Documentation/bpf/standardization. Packets of
 * others leave a program after a few loads and comparisons. Pure.
 */
import type { TraceMatch } from '../../packet-trace.ts';
import { hostIsLittleEndian } from '../attribute.ts';
import { assemble, helper, type Instruction, mapDescriptor, nothing, op, read, registers } from '../bpf-program.ts';
import { type Alternative, alternativesOf, type Condition, defaultVxlanPort, protocolNumber } from './match.ts';

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
  /** Undefined before Linux 6.2. */
  cast?: PointerCast;
}

/** What lets a program read memory without a call, by its ids in the kernel's BTF. */
export interface PointerCast {
  /** The function bpf_rdonly_cast(). The verifier replaces its call by a move. */
  function: number;
  /** struct tcphdr: 20 bytes of plain numbers, which stand for any 20 bytes of a packet. */
  header: number;
}

/** Offsets from the frame pointer (r10) downwards. */
const recordAt = -recordBytes;
const headBytes = 48;
const headAt = recordAt - headBytes;
/** A pointer that was read; the header is no longer needed then. */
const pointerAt = headAt;
/** r6 the packet, r7 its IP header or another pointer, r8 a protocol, r9 the arguments. */
const { r0, r1, r2, r3, r6, r7, r8, r9, r10 } = registers;
const ipHeader = { 4: 20, 6: 40 } as const;
const BPF_PSEUDO_KFUNC_CALL = 2;

/** struct bpf_insn, 8 bytes each. `queue` is the descriptor of the queue. */
export function encodeWatch(kind: RecordKind, match: TraceMatch, fields: PacketFields, queue: number): Uint8Array {
  const alternatives = alternativesOf(match);
  return assemble([
    { code: op.move, to: r9, from: r1 },
    { code: op.load8, to: r6, from: r9 },
    ...findHeader(kind, fields),
    ...(fields.cast === undefined ? [] : leaveEarly(match, fields.cast)),
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

/**
 * Packets of others over TCP and UDP jump to `out` after some loads, because the call that copies a header costs more than the
 * rest of the program. What remains is tested completely.
 */
function leaveEarly(match: TraceMatch, cast: PointerCast): Instruction[] {
  const { protocol: own, id, servicePorts = [id], vxlanPorts = [defaultVxlanPort] } = match;
  const compare = (offset: number, ports: readonly number[]): Instruction[] => [
    { code: op.load2, to: r2, from: r0, offset },
    ...ports.map((port) => ({ code: op.jumpIfEqual, to: r2, number: networkOrder(port), jump: 'complete' })),
  ];
  const testPorts = (protocol: 'tcp' | 'udp'): Instruction[] => {
    const ports = protocol === own ? servicePorts : [];
    const tunnels = protocol === 'udp' ? vxlanPorts : [];
    return [
      nothing(protocol),
      ...(ports.length === 0 ? [] : compare(0, ports)),
      ...(ports.length + tunnels.length === 0 ? [] : compare(2, [...ports, ...tunnels])),
      { code: op.jump, jump: 'out' },
    ];
  };
  return [
    ...castHeader(cast, 0),
    { code: op.load1, to: r2, from: r0 },
    { code: op.jumpIfEqual, to: r2, number: 0x45, jump: 'early-4' },
    { code: op.shiftRight, to: r2, number: 4 },
    { code: op.jumpUnless, to: r2, number: 6, jump: 'out' },
    { code: op.load1, to: r8, from: r0, offset: 6 },
    ...castHeader(cast, ipHeader[6]),
    { code: op.jump, jump: 'ports' },
    { code: op.load1, to: r8, from: r0, offset: 9, at: 'early-4' },
    ...castHeader(cast, ipHeader[4]),
    nothing('ports'),
    { code: op.jumpIfEqual, to: r8, number: protocolNumber.tcp, jump: 'tcp' },
    { code: op.jumpIfEqual, to: r8, number: protocolNumber.udp, jump: 'udp' },
    { code: op.jump, jump: 'complete' },
    ...testPorts('tcp'),
    ...testPorts('udp'),
    nothing('complete'),
  ];
}

/** r0: what is `offset` bytes behind the IP header, as 20 bytes that can be loaded. */
const castHeader = (cast: PointerCast, offset: number): Instruction[] => [
  { code: op.move, to: r1, from: r7 },
  { code: op.addNumber, to: r1, number: offset },
  { code: op.set, to: r2, number: cast.header },
  { code: op.call, from: BPF_PSEUDO_KFUNC_CALL, number: cast.function },
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
    ...mapDescriptor(r1, queue),
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
