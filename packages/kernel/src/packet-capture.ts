/** What a capture of packets takes and gives. */

export interface PacketCaptureRequest {
  /** Namespace of the link; absent: this process's own. */
  ns?: string;
  /** Name of one link that is there. */
  link: string;
  /** An expression of pcap-filter(7); absent or empty: everything. */
  filter?: string;
  /** Most bytes kept of a packet. Default and most: 262144. */
  snapLength?: number;
  /** Ends after this many packets. */
  count?: number;
}

export interface CapturedPacket {
  /** Seconds since 1970, and nanoseconds of that second. */
  seconds: number;
  nanoseconds: number;
  /** Of the packet itself; `data` may be less. */
  originalLength: number;
  data: Uint8Array;
}

export interface CaptureStatistics {
  /** Handed out. */
  captured: number;
  /** Passed by the filter. */
  received: number;
  /** Passed by the filter and lost, because nobody took them in time. */
  dropped: number;
}

/**
 * A running capture. Whoever iterates slowly makes the kernel drop and count packets, never this process grow. Leaving
 * the iteration, its end and `close` all give the socket back.
 */
export interface PacketCapture {
  /** LINKTYPE_ value, 1 for Ethernet. */
  linkType: number;
  snapLength: number;
  /** Packets in the order of their capture, some at a time. To be iterated once. Throws when the link goes away. */
  packets(): AsyncIterable<readonly CapturedPacket[]>;
  /** Ends it soon: what was captured up to now is still handed out. */
  stop(): void;
  /** Valid after the end, too. */
  statistics(): CaptureStatistics;
  /** Ends it at once. May be called again. */
  close(): void;
}
