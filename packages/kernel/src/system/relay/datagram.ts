/**
 * Datagrams with the address that they were sent to: recvmsg(2) and sendmsg(2) with IPV6_PKTINFO. A reply needs it as its
 * source; the kernel would choose one by the route to the client.
 */
import { libc } from '../ffi/libc.ts';
import { setInteger } from './options.ts';

const IPPROTO_IPV6 = 41;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_in6, struct in6_pktinfo, struct cmsghdr on 64-bit systems with its padding. */
const nameBytes = 28;
const packetInfoBytes = 20;
const controlHeaderBytes = 16;
const controlBytes = 40;
const maxDatagram = 65_535;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Who sent a datagram, and to which address of this host: struct sockaddr_in6, struct in6_pktinfo. */
export interface Flow {
  client: Uint8Array;
  local: Uint8Array;
}

/** From now on, datagrams of the socket have their destination. */
export const requestDestination = (fd: number): void => setInteger(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);

/** Memory for one datagram and its struct msghdr. */
export class DatagramBuffer {
  readonly data: Uint8Array;
  readonly #header: Uint8Array;
  readonly #name: Uint8Array;
  readonly #vector: Uint8Array;
  readonly #control: Uint8Array;

  constructor() {
    const data = libc().allocate(maxDatagram);
    const name = libc().allocate(nameBytes);
    const vector = libc().allocate(16);
    const control = libc().allocate(controlBytes);
    this.data = data.bytes;
    this.#name = name.bytes;
    this.#vector = vector.bytes;
    this.#control = control.bytes;
    this.#header = new Uint8Array(56);
    const view = viewOf(this.#header);
    view.setBigUint64(0, name.address, isLittleEndian);
    view.setBigUint64(16, vector.address, isLittleEndian);
    view.setBigUint64(24, 1n, isLittleEndian);
    view.setBigUint64(32, control.address, isLittleEndian);
    viewOf(this.#vector).setBigUint64(0, data.address, isLittleEndian);
  }

  /** The length of the datagram in `data`, or -1 with errno. */
  receive(fd: number): number {
    this.#setLengths(maxDatagram);
    return libc().recvmsg(fd, this.#header, MSG_DONTWAIT);
  }

  /** Of the datagram received last; undefined without a destination. */
  flow(): Flow | undefined {
    const view = viewOf(this.#control);
    const isInfo =
      view.getInt32(8, isLittleEndian) === IPPROTO_IPV6 && view.getInt32(12, isLittleEndian) === IPV6_PKTINFO;
    const length = Number(viewOf(this.#header).getBigUint64(40, isLittleEndian));
    if (!isInfo || length < controlHeaderBytes + packetInfoBytes) return undefined;
    return { client: this.#name.slice(), local: this.#source() };
  }

  /** The destination as the source of replies. */
  #source(): Uint8Array {
    const local = this.#control.slice(controlHeaderBytes, controlHeaderBytes + packetInfoBytes);
    const [first = 0, second = 0] = local;
    if (first === 0xff) local.fill(0, 0, 16); // multicast is no source
    const isOfInterface = first === 0xff || (first === 0xfe && (second & 0xc0) === 0x80);
    if (!isOfInterface) local.fill(0, 16); // a global address may be reached through any interface
    return local;
  }

  /** Sends the first `length` bytes of `data` back to the client, from the address that it used. */
  reply(fd: number, { client, local }: Flow, length: number): void {
    this.#setLengths(length);
    this.#name.set(client);
    const view = viewOf(this.#control);
    view.setBigUint64(0, BigInt(controlHeaderBytes + packetInfoBytes), isLittleEndian);
    view.setInt32(8, IPPROTO_IPV6, isLittleEndian);
    view.setInt32(12, IPV6_PKTINFO, isLittleEndian);
    this.#control.set(local, controlHeaderBytes);
    libc().sendmsg(fd, this.#header, MSG_DONTWAIT | MSG_NOSIGNAL); // lost like any datagram if it fails
  }

  #setLengths(dataLength: number): void {
    const view = viewOf(this.#header);
    view.setUint32(8, nameBytes, isLittleEndian);
    view.setBigUint64(40, BigInt(controlBytes), isLittleEndian);
    viewOf(this.#vector).setBigUint64(8, BigInt(dataLength), isLittleEndian);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The part of a flow that identifies it. */
export const flowKey = ({ client, local }: Flow): string =>
  Buffer.concat([client.subarray(2, 4), client.subarray(8), local.subarray(0, 16)]).toString('latin1');
