/**
 * Reads along in a capture that passes through (pcapng, little endian, one interface, as the daemon sends it): what is
 * captured on, how many packets went by, and the counts at the end. Does not look into packets.
 */
import { NetyardError } from '@netyard/core';

export interface CaptureHead {
  linkType: number;
  snapLength: number;
  /** `eth0 of container web (0123456789ab)` */
  description: string;
}

export interface CaptureTail {
  received: number;
  dropped: number;
  /** Why it ended unasked; '' otherwise. */
  problem: string;
}

const sectionBlock = 0x0a0d0d0a;
const interfaceBlock = 1;
const statisticsBlock = 5;
const packetBlock = 6;
const commentOption = 1;
const descriptionOption = 3;
const acceptedOption = 6;
const droppedOption = 7;
/** No block of a daemon's is longer: the longest packet is 262144 bytes, and names are some dozen bytes each. */
const longestBlock = 64 << 20;

export class CaptureReader {
  head: CaptureHead | undefined;
  packets = 0;
  tail: CaptureTail | undefined;
  #rest = Buffer.alloc(0);
  #first = true;

  /** The next bytes, in pieces of any length. Throws `internal` for what is no capture. */
  feed(chunk: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined;
    bytes ??= Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (bytes.length - offset >= 8) {
      const length = this.#checkLength(bytes.readUInt32LE(offset), bytes.readUInt32LE(offset + 4));
      if (bytes.length - offset < length) break;
      this.#note(bytes.subarray(offset, offset + length));
      offset += length;
    }
    this.#rest = Buffer.from(bytes.subarray(offset));
  }

  #checkLength(type: number, length: number): number {
    const begins = !this.#first || type === sectionBlock;
    if (!begins || length < 12 || length % 4 !== 0 || length > longestBlock)
      throw new NetyardError('internal', 'the daemon sent what is no capture');
    this.#first = false;
    return length;
  }

  #note(block: Buffer): void {
    const type = block.readUInt32LE(0);
    if (type === packetBlock) this.packets += 1;
    else if (type === interfaceBlock) {
      const description = optionOf(block, 16, descriptionOption)?.toString() ?? '';
      this.head = { linkType: block.readUInt16LE(8), snapLength: block.readUInt32LE(12), description };
    } else if (type === statisticsBlock) {
      const count = (code: number): number => Number(optionOf(block, 20, code)?.readBigUInt64LE(0) ?? 0n);
      const problem = optionOf(block, 20, commentOption)?.toString() ?? '';
      this.tail = { received: count(acceptedOption), dropped: count(droppedOption), problem };
    }
  }
}

/** Options begin at `from`: code, length, value, padding to 32 bits. */
function optionOf(block: Buffer, from: number, wanted: number): Buffer | undefined {
  for (let offset = from; offset + 4 <= block.length - 4; ) {
    const length = block.readUInt16LE(offset + 2);
    if (block.readUInt16LE(offset) === wanted) return block.subarray(offset + 4, offset + 4 + length);
    offset += 4 + ((length + 3) & ~3);
  }
  return undefined;
}
