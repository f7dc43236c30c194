/**
 * The BPF program that counts dropped packets at the tracepoint kfree_skb, which packets that are not dropped do not reach
 * (they end at consume_skb). Pure.
 */
import { assemble, helper, type Instruction, mapDescriptor, nothing, op, read, registers } from '../bpf-program.ts';

/** Key of the map: the places of its fields, of 4 bytes each. */
export const key = { namespace: 0, linkIndex: 4, reason: 8 } as const;
export const keyBytes = 12;

/** Offsets in the structs of this kernel. */
export interface DropFields {
  /** struct sk_buff */
  device: number;
  socket: number;
  head: number;
  networkHeader: number;
  /** struct net_device */
  linkIndex: number;
  deviceNamespace: number;
  /** struct sock */
  socketFamily: number;
  socketNamespace: number;
  /** struct net */
  namespaceInode: number;
}

export interface DropProgram {
  fields: DropFields;
  /** The tracepoint has a fourth argument, the socket that a packet was received for: since Linux 6.11. */
  hasReceiver: boolean;
  /** Reasons that are not counted. */
  ignored: readonly number[];
  /** The reason NO_SOCKET, which is not counted for ICMP: replies for raw sockets have it, which receive copies. */
  noSocket: number;
  /** Descriptor of the map. */
  map: number;
}

/** Offsets from the frame pointer. */
const pointerAt = -8;
const valueAt = -16;
const keyAt = -32;
/** The packet's IP header up to the protocol. */
const headerAt = -48;
const headerBytes = 10;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
/** r6 the packet, r7 a pointer, r8 the namespace of the device, r9 the arguments. */
const { r0, r1, r2, r3, r4, r6, r7, r8, r9, r10 } = registers;

/** struct bpf_insn, 8 bytes each. Arguments of kfree_skb: the packet, an address in a function, the reason, a socket. */
export function encodeDropCounter({ fields, hasReceiver, ignored, noSocket, map }: DropProgram): Uint8Array {
  return assemble([
    { code: op.move, to: r9, from: r1 },
    { code: op.load8, to: r6, from: r9 },
    { code: op.load8, to: r2, from: r9, offset: 16 },
    { code: op.store4, to: r10, from: r2, offset: keyAt + key.reason },
    { code: op.load4, to: r2, from: r10, offset: keyAt + key.reason },
    ...ignored.map((reason) => ({ code: op.jumpIfEqual, to: r2, number: reason, jump: 'out' })),
    { code: op.jumpUnless, to: r2, number: noSocket, jump: 'place' },
    ...leaveIcmp(fields),
    { code: op.storeNumber4, to: r10, offset: keyAt + key.namespace, number: 0, at: 'place' },
    { code: op.storeNumber4, to: r10, offset: keyAt + key.linkIndex, number: 0 },
    ...readDevice(fields),
    ...(hasReceiver ? readReceiver(fields) : []),
    ...readSender(fields),
    ...count(map),
    { code: op.set, to: r0, number: 0, at: 'out' },
    { code: op.exit },
  ]);
}

/** Jumps to `out` for ICMP of both families. */
const leaveIcmp = ({ head, networkHeader }: DropFields): Instruction[] => [
  { code: op.load8, to: r7, from: r6, offset: head },
  { code: op.load2, to: r2, from: r6, offset: networkHeader },
  { code: op.add, to: r7, from: r2 },
  ...read(headerAt, headerBytes, r7),
  { code: op.load1, to: r2, from: r10, offset: headerAt },
  { code: op.shiftRight, to: r2, number: 4 },
  { code: op.load1, to: r3, from: r10, offset: headerAt + 6 },
  { code: op.jumpIfEqual, to: r2, number: 6, jump: 'protocol' },
  { code: op.load1, to: r3, from: r10, offset: headerAt + 9 },
  { code: op.jumpIfEqual, to: r3, number: IPPROTO_ICMP, jump: 'out', at: 'protocol' },
  { code: op.jumpIfEqual, to: r3, number: IPPROTO_ICMPV6, jump: 'out' },
];

const forgetLink: Instruction = { code: op.storeNumber4, to: r10, offset: keyAt + key.linkIndex, number: 0 };
const loadNamespace = (to: number): Instruction => ({
  ...{ code: op.load4, to, from: r10, offset: keyAt + key.namespace },
});

/** Reads a pointer of the struct at r7, or at `from`, into r7. */
const follow = (offset: number, from: number = r7): Instruction[] => [
  ...read(pointerAt, 8, from, offset),
  { code: op.load8, to: r7, from: r10, offset: pointerAt },
];

/** The field is something else in packets that a socket holds: reading from there fails, or is corrected below. */
const readDevice = (fields: DropFields): Instruction[] => [
  ...follow(fields.device, r6),
  { code: op.jumpIfEqual, to: r7, number: 0, jump: 'sockets' },
  ...read(keyAt + key.linkIndex, 4, r7, fields.linkIndex),
  ...follow(fields.deviceNamespace),
  ...read(keyAt + key.namespace, 4, r7, fields.namespaceInode),
  loadNamespace(r8),
  { code: op.jumpUnless, to: r8, number: 0, jump: 'sockets' },
  forgetLink,
  nothing('sockets'),
];

/** The receiver's namespace is certain. */
const readReceiver = (fields: DropFields): Instruction[] => [
  { code: op.load8, to: r7, from: r9, offset: 24 },
  { code: op.jumpIfEqual, to: r7, number: 0, jump: 'sender' },
  loadNamespace(r8),
  ...follow(fields.socketNamespace),
  ...read(keyAt + key.namespace, 4, r7, fields.namespaceInode),
  loadNamespace(r2),
  { code: op.jumpIfSame, to: r2, from: r8, jump: 'count' },
  forgetLink,
  { code: op.jump, jump: 'count' },
  nothing('sender'),
];

/** Of a packet without a device: the socket's namespace, if it is one of IP, not one of netlink or a Unix socket. */
const readSender = (fields: DropFields): Instruction[] => [
  loadNamespace(r8),
  { code: op.jumpUnless, to: r8, number: 0, jump: 'count' },
  ...follow(fields.socket, r6),
  { code: op.jumpIfEqual, to: r7, number: 0, jump: 'out' },
  ...read(pointerAt, 2, r7, fields.socketFamily),
  { code: op.load2, to: r2, from: r10, offset: pointerAt },
  { code: op.jumpIfEqual, to: r2, number: AF_INET, jump: 'internet' },
  { code: op.jumpUnless, to: r2, number: AF_INET6, jump: 'out' },
  nothing('internet'),
  ...follow(fields.socketNamespace),
  ...read(keyAt + key.namespace, 4, r7, fields.namespaceInode),
  nothing('count'),
];

/** Adds one to this processor's value of the key, or creates it. */
const count = (map: number): Instruction[] => [
  ...mapDescriptor(r1, map),
  { code: op.move, to: r2, from: r10 },
  { code: op.addNumber, to: r2, number: keyAt },
  { code: op.call, number: helper.mapLookup },
  { code: op.jumpIfEqual, to: r0, number: 0, jump: 'create' },
  { code: op.set, to: r1, number: 1 },
  { code: op.addToMemory8, to: r0, from: r1 },
  { code: op.jump, jump: 'out' },
  { code: op.storeNumber8, to: r10, offset: valueAt, number: 1, at: 'create' },
  ...mapDescriptor(r1, map),
  { code: op.move, to: r2, from: r10 },
  { code: op.addNumber, to: r2, number: keyAt },
  { code: op.move, to: r3, from: r10 },
  { code: op.addNumber, to: r3, number: valueAt },
  { code: op.set, to: r4, number: 0 },
  { code: op.call, number: helper.mapUpdate },
];
