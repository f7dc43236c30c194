/** Packets as libpcap writes them into a file in memory: pcap-savefile(5) without its head. Pure. */
import type { CapturedPacket } from '../../packet-capture.ts';

/** struct pcap_file_header */
export const fileHeaderLength = 24;
/** Seconds, nanoseconds, bytes kept, bytes that were; 32 bits each, in the host's order. */
const recordHeaderLength = 16;

/** `bytes` is made of whole records. The packets' data are parts of it, not copies. */
export function parseRecords(bytes: Uint8Array, littleEndian: boolean): CapturedPacket[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packets: CapturedPacket[] = [];
  for (let offset = 0; offset + recordHeaderLength <= bytes.length; ) {
    const start = offset + recordHeaderLength;
    const length = view.getUint32(offset + 8, littleEndian);
    packets.push({
      seconds: view.getUint32(offset, littleEndian),
      nanoseconds: view.getUint32(offset + 4, littleEndian),
      originalLength: view.getUint32(offset + 12, littleEndian),
      data: bytes.subarray(start, start + length),
    });
    offset = start + length;
  }
  return packets;
}
