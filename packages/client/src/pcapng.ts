/**
 * Parses a capture while it is passed through (pcapng, little endian, one interface, as the daemon sends it): the
 * interface, the number of packets so far, and the counters at the end. Does not parse packets.
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
  /** Why it ended early; '' otherwise. */
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
/** The daemon sends no longer block: the longest packet is 262144 bytes, and names are a few dozen bytes each. */
const longestBlock = 64 << 20;

export class CaptureReader {
  head: CaptureHead | undefined;
  packets = 0;
  tail: CaptureTail | undefined;
  #rest = Buffer.alloc(0);
  #first = true;

  /** Parses the next bytes, in chunks of any length. Throws `internal` if they are no capture. */
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
      throw new NetyardError('internal', 'the daemon sent data that is no capture');
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
function optionOf(block: Buffer, from: number, code: number): Buffer | undefined {
  for (let offset = from; offset + 4 <= block.length - 4; ) {
    const length = block.readUInt16LE(offset + 2);
    if (block.readUInt16LE(offset) === code) return block.subarray(offset + 4, offset + 4 + length);
    offset += 4 + ((length + 3) & ~3);
  }
  return undefined;
}
