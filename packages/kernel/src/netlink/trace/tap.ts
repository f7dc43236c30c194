/** A tap: one packet socket that sees a probe's packets on all links of a namespace, transmitted ones too. */
import type { PacketTap, TappedPacket, TraceRequest } from '../../packet-trace.ts';
import { closeInBackground } from '../../system/calls.ts';
import { errnoOf, kernelError } from '../../system/ffi/errno.ts';
import { libc } from '../../system/ffi/libc.ts';
import { type ReceivedMessage, receiveMessage } from '../../system/message-buffer.ts';
import { openPacketSocket, readDropped } from '../../system/packet-socket.ts';
import { hostIsLittleEndian, viewOf } from '../attribute.ts';
import { ARPHRD_ETHER, ARPHRD_LOOPBACK, encodeProbeFilter } from './filter.ts';
import { networkOffset, parseMacs, parsePacket } from './headers.ts';
import { checkMatch } from './match.ts';
import { HeldNamespace } from './namespace.ts';
import { takeUpTo } from './take.ts';

const ETH_P_ALL = 3;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
/** The type of the control message is that of the option SO_TIMESTAMPNS. */
const SCM_TIMESTAMPNS = 35;
/** linux/if_packet.h */
const PACKET_OTHERHOST = 3;
const PACKET_OUTGOING = 4;
const receiveBuffer = 1 << 20;
/** For one read: more than the buffer holds, which a probe never fills. */
const mostPackets = 8192;

/** See `PacketTracing.openTap`. */
export function openTap({ ns, match }: TraceRequest): PacketTap {
  checkMatch(match);
  const filter = encodeProbeFilter(match);
  const namespace = new HeldNamespace(ns);
  try {
    const request = { type: 'raw', protocol: ETH_P_ALL, linkIndex: 0, filter, receiveBuffer } as const;
    return new SocketTap(namespace, openPacketSocket(namespace.path, request), match.vxlanPorts);
  } catch (error) {
    namespace.close();
    throw error;
  }
}

class SocketTap implements PacketTap {
  readonly #namespace: HeldNamespace;
  readonly #vxlanPorts: readonly number[] | undefined;
  #fd: number | undefined;
  #dropped = 0;

  constructor(namespace: HeldNamespace, fd: number, vxlanPorts: readonly number[] | undefined) {
    this.#namespace = namespace;
    this.#fd = fd;
    this.#vxlanPorts = vxlanPorts;
  }

  read(): TappedPacket[] {
    return takeUpTo(mostPackets, () => this.#next());
  }

  #next(): TappedPacket | undefined {
    while (this.#fd !== undefined) {
      const message = receiveMessage(this.#fd, MSG_DONTWAIT);
      if (message === undefined) {
        const errno = libc().errno();
        if (errno === errnoOf('EAGAIN')) return undefined;
        // ENETDOWN: a link went down, once; the socket continues with the others.
        if (errno !== errnoOf('EINTR') && errno !== errnoOf('ENETDOWN'))
          throw kernelError(errno, 'tcpdump -i any', this.#namespace.path);
        continue;
      }
      const packet = decodeTapped(message, this.#vxlanPorts);
      if (packet !== undefined) return { ...packet, link: this.#namespace.linkName(packet.linkIndex) };
    }
    return undefined;
  }

  get dropped(): number {
    if (this.#fd !== undefined) this.#dropped += readDropped(this.#fd);
    return this.#dropped;
  }

  close(): void {
    if (this.#fd === undefined) return;
    this.#dropped += readDropped(this.#fd);
    closeInBackground(this.#fd);
    this.#fd = undefined;
    this.#namespace.close();
  }
}

/** The sender's address is a struct sockaddr_ll. Pure. */
export function decodeTapped(
  { name, data, control }: ReceivedMessage,
  vxlanPorts?: readonly number[],
): Omit<TappedPacket, 'link'> | undefined {
  const view = viewOf(name);
  const hardwareType = view.getUint16(8, hostIsLittleEndian);
  const isEthernet = hardwareType === ARPHRD_ETHER || hardwareType === ARPHRD_LOOPBACK;
  const headers = parsePacket(data.subarray(isEthernet ? networkOffset(data) : 0), vxlanPorts);
  const macs = hardwareType === ARPHRD_ETHER ? parseMacs(data) : undefined;
  return (
    headers && {
      linkIndex: view.getInt32(4, hostIsLittleEndian),
      direction: directionOf(view.getUint8(10)),
      time: timeOf(control),
      headers,
      ...(macs === undefined ? {} : { macs }),
    }
  );
}

/** `packetType`: PACKET_HOST and so on. Pure. */
export function directionOf(packetType: number): TappedPacket['direction'] {
  if (packetType === PACKET_OUTGOING) return 'out';
  return packetType === PACKET_OTHERHOST ? 'other' : 'in';
}

/** struct timespec. */
function timeOf(control: ReceivedMessage['control']): bigint {
  const stamp = control.find(({ level, type }) => level === SOL_SOCKET && type === SCM_TIMESTAMPNS);
  if (stamp === undefined) return 0n;
  const view = viewOf(stamp.data);
  return view.getBigInt64(0, hostIsLittleEndian) * 1_000_000_000n + view.getBigInt64(8, hostIsLittleEndian);
}
