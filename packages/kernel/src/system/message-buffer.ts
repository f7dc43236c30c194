/**
 * Memory for recvmsg(2): data, address of the sender and control messages. Not for use across an `await`: there is one
 * buffer for all sockets of a thread.
 */
import { libc } from './ffi/libc.ts';

const nameBytes = 128;
const dataBytes = 65_536;
const controlBytes = 512;
const controlHeaderBytes = 16;
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Views into the buffer: valid until the next call. */
export interface ReceivedMessage {
  data: Uint8Array;
  /** struct sockaddr of the sender, or what the socket puts in its place. */
  name: Uint8Array;
  control: ControlMessage[];
}

export interface ControlMessage {
  level: number;
  type: number;
  data: Uint8Array;
}

class MessageBuffer {
  readonly #data = libc().allocate(dataBytes);
  readonly #name = libc().allocate(nameBytes);
  readonly #vector = libc().allocate(16);
  readonly #control = libc().allocate(controlBytes);
  /** struct msghdr on 64-bit systems. */
  readonly #header = new Uint8Array(56);

  receive(fd: number, flags: number): ReceivedMessage | undefined {
    const header = viewOf(this.#header);
    header.setBigUint64(0, this.#name.address, littleEndian);
    header.setUint32(8, nameBytes, littleEndian);
    header.setBigUint64(16, this.#vector.address, littleEndian);
    header.setBigUint64(24, 1n, littleEndian);
    header.setBigUint64(32, this.#control.address, littleEndian);
    header.setBigUint64(40, BigInt(controlBytes), littleEndian);
    viewOf(this.#vector.bytes).setBigUint64(0, this.#data.address, littleEndian);
    viewOf(this.#vector.bytes).setBigUint64(8, BigInt(dataBytes), littleEndian);
    const length = libc().recvmsg(fd, this.#header, flags);
    if (length < 0) return undefined;
    const controlLength = Number(header.getBigUint64(40, littleEndian));
    return {
      data: this.#data.bytes.subarray(0, length),
      name: this.#name.bytes.subarray(0, header.getUint32(8, littleEndian)),
      control: parseControl(this.#control.bytes.subarray(0, controlLength)),
    };
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** struct cmsghdr: length of header and data, level, type; padded to 8 bytes. Pure. */
export function parseControl(bytes: Uint8Array): ControlMessage[] {
  const messages: ControlMessage[] = [];
  const view = viewOf(bytes);
  for (let offset = 0; offset + controlHeaderBytes <= bytes.length; ) {
    const length = Number(view.getBigUint64(offset, littleEndian));
    if (length < controlHeaderBytes || offset + length > bytes.length) break;
    const level = view.getInt32(offset + 8, littleEndian);
    const type = view.getInt32(offset + 12, littleEndian);
    messages.push({ level, type, data: bytes.subarray(offset + controlHeaderBytes, offset + length) });
    offset += (length + 7) & ~7;
  }
  return messages;
}

let shared: MessageBuffer | undefined; // memory that is never freed, not state

/** Undefined on failure, with `errno()`. */
export function receiveMessage(fd: number, flags: number): ReceivedMessage | undefined {
  shared ??= new MessageBuffer();
  return shared.receive(fd, flags);
}
