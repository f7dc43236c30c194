/**
 * Reads the packets of a pcapng file (draft-ietf-opsawg-pcapng) as it arrives: one section and one interface, little endian,
 * timestamps in nanoseconds, as the daemon writes them. Pure.
 */

export interface CapturedPacket {
  /** Seconds since 1970. */
  time: number;
  /** LINKTYPE_ value of the interface. */
  linkType: number;
  /** On the wire; `data` may be shorter. */
  length: number;
  data: Uint8Array;
}

const interfaceBlock = 1;
const packetBlock = 6;
/** No block of the daemon is longer; a longer one is no pcapng. */
const longestBlock = 1024 * 1024;
const blockOverhead = 12;
const packetHead = 28;

export class PacketParser {
  #rest = new Uint8Array();
  #linkType = 0;

  /** Bytes arrive in any pieces. Returns the packets that each piece completes. Throws for what is no pcapng. */
  push(piece: Uint8Array): CapturedPacket[] {
    const bytes = new Uint8Array(this.#rest.length + piece.length);
    bytes.set(this.#rest);
    bytes.set(piece, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const packets: CapturedPacket[] = [];
    let offset = 0;
    while (offset + 8 <= bytes.length) {
      const length = view.getUint32(offset + 4, true);
      if (length < blockOverhead || length % 4 !== 0 || length > longestBlock) throw new Error('invalid pcapng block');
      if (offset + length > bytes.length) break;
      packets.push(...this.#readBlock(new DataView(bytes.buffer, offset, length)));
      offset += length;
    }
    this.#rest = bytes.slice(offset);
    return packets;
  }

  #readBlock(block: DataView): CapturedPacket[] {
    const type = block.getUint32(0, true);
    if (type === interfaceBlock && block.byteLength >= blockOverhead + 8) this.#linkType = block.getUint16(8, true);
    if (type !== packetBlock || block.byteLength < packetHead + 4) return [];
    const captured = block.getUint32(20, true);
    if (packetHead + captured + 4 > block.byteLength) throw new Error('invalid pcapng packet');
    const nanoseconds = (BigInt(block.getUint32(12, true)) << 32n) | BigInt(block.getUint32(16, true));
    const data = new Uint8Array(block.buffer, block.byteOffset + packetHead, captured).slice();
    return [{ time: Number(nanoseconds) / 1e9, linkType: this.#linkType, length: block.getUint32(24, true), data }];
  }
}
