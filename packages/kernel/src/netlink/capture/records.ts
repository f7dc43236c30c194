/** Parses packets as libpcap writes them into memory: pcap-savefile(5) without its file header. Pure. */
import type { CapturedPacket } from '../../packet-capture.ts';

/** struct pcap_file_header */
export const fileHeaderLength = 24;
/** Seconds, nanoseconds, captured length, original length; 32 bits each, in host byte order. */
const recordHeaderLength = 16;

/** `bytes` consists of whole records. The packets' data are views into it, not copies. */
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
