/** What a capture is asked for, and what is known of the link that it watches. */
import type { PacketCapture } from '@netyard/kernel';

export interface CaptureRequest {
  /** A container or a network by name, id or id prefix, or `uplink`: this host's way out. */
  target: string;
  /** One of the target's links, when it has several. */
  link?: string;
  /** An expression of pcap-filter(7). */
  filter?: string;
  /** Most bytes kept of a packet. */
  snapLength?: number;
  /** Ends after this many packets. */
  count?: number;
}

/** The link that is captured on, in the words of those who asked. */
export interface CaptureInterface {
  kind: 'container' | 'network' | 'uplink';
  /** Of the container or the network; of an uplink that of its link. */
  name: string;
  /** Full id; '' for an uplink. */
  id: string;
  link: string;
  mac: string;
  /** Of the link, with prefix length. */
  addresses: string[];
  /** The target's other links, `lo` not among them. */
  otherLinks: string[];
}

export interface CaptureSession {
  place: CaptureInterface;
  packets: PacketCapture;
  /** Names of the containers that run now, for whoever reads addresses. */
  names: { address: string; name: string }[];
}
