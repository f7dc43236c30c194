/**
 * Packet captures, each on one link of one namespace. Filtering and buffering happen in the kernel; this file waits for
 * SIGIO, reads pending packets in small batches, and yields to the event loop in between.
 */
import { setTimeout as pause, setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { NetyardError } from '@netyard/core';
import type { CapturedPacket, CaptureStatistics, PacketCapture, PacketCaptureRequest } from '../../packet-capture.ts';
import { blockTimeoutMs, PcapHandle, ringBytes } from './handle.ts';

/**
 * Maximum number of packets per iteration of the event loop: well below a millisecond, and at most 32 MiB of packets of
 * the maximum size.
 */
const packetsPerSlice = 128;
const maxFilterLength = 65536;
/** Maximum delay of a timer. The timer only keeps the process alive during a capture. */
const maxTimerDelay = 2 ** 31 - 1;

/** All captures of one kernel object: they share one signal listener. */
export class Captures {
  readonly #open = new Set<LinkCapture>();
  readonly #wake = (): void => {
    for (const capture of this.#open) capture.wake();
  };

  /**
   * Throws `invalid` with the filter compiler's message, KernelError ENODEV or EPERM, `unavailable` when libpcap is
   * missing or the link cannot be captured on; leaves nothing open then.
   */
  async open(request: PacketCaptureRequest): Promise<PacketCapture> {
    checkRequest(request);
    if (!isMainThread) throw new NetyardError('internal', 'captures work in the main thread only');
    // Stays installed for the life of the process, as with `watch`: a late signal without a handler would kill it.
    if (!process.listeners('SIGIO').includes(this.#wake)) process.on('SIGIO', this.#wake);
    const handle = new PcapHandle(request);
    try {
      if (request.filter) await handle.setFilter(request.filter);
    } catch (error) {
      handle.close();
      throw error;
    }
    const capture = new LinkCapture(handle, request.count, () => this.#open.delete(capture));
    this.#open.add(capture);
    return capture;
  }

  close(): void {
    for (const capture of this.#open) capture.close();
  }
}

function checkRequest({ filter = '', count, snapLength }: PacketCaptureRequest): void {
  if (filter.includes('\0') || Buffer.byteLength(filter) > maxFilterLength)
    throw new NetyardError('invalid', 'invalid filter: contains a NUL byte or is too long');
  if (count !== undefined && (!Number.isSafeInteger(count) || count < 1))
    throw new NetyardError('invalid', `invalid packet count ${count}`);
  if (snapLength !== undefined && (!Number.isSafeInteger(snapLength) || snapLength < 1))
    throw new NetyardError('invalid', `invalid snapshot length ${snapLength}`);
}

class LinkCapture implements PacketCapture {
  readonly linkType: number;
  readonly snapLength: number;
  readonly #handle: PcapHandle;
  readonly #count: number;
  readonly #onClose: () => void;
  readonly #keepAlive = setInterval(() => undefined, maxTimerDelay);
  #captured = 0;
  #stopping = false;
  #ready = Promise.withResolvers<void>();
  /** Final counters, set when the handle is closed. */
  #final: { received: number; dropped: number } | undefined;

  constructor(handle: PcapHandle, count: number | undefined, onClose: () => void) {
    this.#handle = handle;
    this.#count = count ?? Number.POSITIVE_INFINITY;
    this.#onClose = onClose;
    this.linkType = handle.linkType;
    this.snapLength = handle.snapLength;
  }

  wake(): void {
    this.#ready.resolve();
  }

  stop(): void {
    this.#stopping = true;
    this.wake();
  }

  async *packets(): AsyncGenerator<readonly CapturedPacket[]> {
    try {
      while (this.#captured < this.#count && !this.#final) {
        this.#ready = Promise.withResolvers();
        const packets = this.#read();
        if (packets.length > 0) yield packets;
        if (packets.length > 0) await yieldToEventLoop();
        else if (this.#stopping) break;
        else await this.#ready.promise;
      }
      if (this.#stopping) yield* this.#rest();
    } finally {
      this.close();
    }
  }

  /** Drains the ring, and no more: the kernel hands over its last block after a timeout. */
  async *#rest(): AsyncGenerator<readonly CapturedPacket[]> {
    await pause(2 * blockTimeoutMs);
    let room = ringBytes;
    while (room > 0 && this.#captured < this.#count && !this.#final) {
      const packets = this.#read();
      if (packets.length === 0) return;
      room -= packets.reduce((sum, { data }) => sum + data.length, 0);
      yield packets;
      await yieldToEventLoop();
    }
  }

  #read(): CapturedPacket[] {
    const packets = this.#handle.read(Math.min(packetsPerSlice, this.#count - this.#captured));
    this.#captured += packets.length;
    return packets;
  }

  statistics(): CaptureStatistics {
    return { captured: this.#captured, ...(this.#final ?? this.#handle.statistics()) };
  }

  close(): void {
    if (this.#final) return;
    this.#final = this.#handle.statistics();
    this.#handle.close();
    clearInterval(this.#keepAlive);
    this.#onClose();
    this.wake();
  }
}
