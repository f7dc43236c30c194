/** Types of a packet capture: request, packets, statistics. */

export interface PacketCaptureRequest {
  /** Namespace of the link. Default: the process's own. */
  ns?: string;
  /** Name of one existing link. */
  link: string;
  /** A pcap-filter(7) expression. Default: all packets. */
  filter?: string;
  /** Maximum number of bytes kept per packet. Default and upper limit: 262144. */
  snapLength?: number;
  /** Stop after this many packets. */
  count?: number;
}

export interface CapturedPacket {
  /** Seconds since the epoch, and nanoseconds of that second. */
  seconds: number;
  nanoseconds: number;
  /** Length on the wire; `data` may be shorter. */
  originalLength: number;
  data: Uint8Array;
}

export interface CaptureStatistics {
  /** Packets returned to the caller. */
  captured: number;
  /** Packets that matched the filter. */
  received: number;
  /** Packets that matched the filter but were dropped because the caller did not read them in time. */
  dropped: number;
}

/**
 * A running capture. When the caller iterates slowly, the kernel drops and counts packets; this process's memory does
 * not grow. Leaving the iteration early, its end and `close` all release the socket.
 */
export interface PacketCapture {
  /** LINKTYPE_ value; 1 is Ethernet. */
  linkType: number;
  snapLength: number;
  /** Packets in capture order, in batches. Can be iterated once. Throws when the link is deleted. */
  packets(): AsyncIterable<readonly CapturedPacket[]>;
  /** Stops capturing; packets captured so far are still returned. */
  stop(): void;
  /** Also valid after the capture has ended. */
  statistics(): CaptureStatistics;
  /** Ends the capture immediately. Idempotent. */
  close(): void;
}
