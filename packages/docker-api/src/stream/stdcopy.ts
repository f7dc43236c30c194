/**
 * Docker's framing of stdout and stderr on one connection (moby api/pkg/stdcopy): a header of eight bytes with stream
 * number, three zeros and the payload length as a big-endian 32-bit number. Pure.
 */
import type { OutputChunk } from '@netyard/engine';

const streamNumbers = { stdout: 1, stderr: 2 } as const;

/** Encodes one frame. */
export function encodeFrame({ stream, data }: OutputChunk): Uint8Array {
  const frame = Buffer.allocUnsafe(8 + data.length);
  frame.writeUInt32BE(streamNumbers[stream] * 0x1000000, 0);
  frame.writeUInt32BE(data.length, 4);
  frame.set(data, 8);
  return frame;
}
