/** Packet sockets with a filter: see packet(7). */
import { checked, closeFile } from './calls.ts';
import { libc, type NativeMemory } from './ffi/libc.ts';
import { openInNetns } from './netns.ts';

const AF_PACKET = 17;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const instructionBytes = 8;
const maxInstructions = 1024;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export const packetSocketType = {
  /** Packets begin with their link-layer header. */
  raw: 3,
  /** Packets begin behind it; the kernel makes that of sent packets. */
  datagram: 2,
} as const;

export interface PacketSocketRequest {
  type: 'raw' | 'datagram';
  /** EtherType; 3 (ETH_P_ALL) is all packets, transmitted ones too. */
  protocol: number;
  /** 0: all links. */
  linkIndex: number;
  /** struct sock_filter[]; without one all packets of the protocol match. */
  filter?: Uint8Array;
  receiveBuffer: number;
}

/** Opens a non-blocking packet socket in a namespace. No packet is received before the filter is set. */
export function openPacketSocket(ns: string | undefined, request: PacketSocketRequest): number {
  const type = packetSocketType[request.type] | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = openInNetns(ns, () => checked(libc().socket(AF_PACKET, type, 0), 'open', 'packet socket'));
  try {
    setInteger(fd, SO_RCVBUFFORCE, request.receiveBuffer);
    setInteger(fd, SO_TIMESTAMPNS, 1);
    if (request.filter !== undefined) attachFilter(fd, request.filter);
    const address = linkAddress(request);
    checked(libc().bind(fd, address, address.length), 'bind', 'packet socket');
    return fd;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

function setInteger(fd: number, name: number, value: number): void {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  checked(libc().setsockopt(fd, SOL_SOCKET, name, bytes, bytes.length), 'setsockopt', 'packet socket');
}

/** struct sockaddr_ll. Pure. */
export function linkAddress(address: { protocol: number; linkIndex: number; mac?: Uint8Array }): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, littleEndian);
  view.setUint16(2, address.protocol);
  view.setInt32(4, address.linkIndex, littleEndian);
  if (address.mac !== undefined) {
    bytes[11] = address.mac.length;
    bytes.set(address.mac, 12);
  }
  return bytes;
}

let program: NativeMemory | undefined; // memory that is never freed, not state

/** struct sock_fprog refers to the program by its address. */
function attachFilter(fd: number, filter: Uint8Array): void {
  if (filter.length > maxInstructions * instructionBytes) throw new RangeError('the packet filter is too long');
  program ??= libc().allocate(maxInstructions * instructionBytes);
  program.bytes.set(filter);
  const value = new Uint8Array(16);
  const view = new DataView(value.buffer);
  view.setUint16(0, filter.length / instructionBytes, littleEndian);
  view.setBigUint64(8, program.address, littleEndian);
  checked(libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, value.length), 'setsockopt', 'packet filter');
}

/** Number of matching packets that did not fit into the buffer, since the last call. */
export function readDropped(fd: number): number {
  const statistics = new Uint8Array(8); // struct tpacket_stats: received, dropped
  const length = new Uint8Array(new Uint32Array([statistics.length]).buffer);
  checked(libc().getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, length), 'getsockopt', 'packet socket');
  return new DataView(statistics.buffer).getUint32(4, littleEndian);
}
