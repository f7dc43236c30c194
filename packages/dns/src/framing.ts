/** DNS over TCP: each message is preceded by its length in two bytes (RFC 1035, 4.2.2). Pure. */

export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Reassembles messages from a TCP stream. Buffers at most one message, 64 KiB. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);

  take(data: Buffer | string): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, typeof data === 'string' ? Buffer.from(data, 'latin1') : data]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= 2) {
      const end = 2 + this.#rest.readUInt16BE(0);
      if (this.#rest.length < end) break;
      messages.push(this.#rest.subarray(2, end));
      this.#rest = this.#rest.subarray(end);
    }
    return messages;
  }
}
