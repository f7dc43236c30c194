/** The request for a packet capture, and the description of the captured interface. */
import type { PacketCapture } from '@netyard/kernel';

export interface CaptureRequest {
  /** A container or a network by name, id or id prefix, or `uplink`: this host's interface to other networks. */
  target: string;
  /** Interface to capture on, when the target has several. */
  link?: string;
  /** Filter expression, see pcap-filter(7). */
  filter?: string;
  /** Maximum number of bytes captured per packet. */
  snapLength?: number;
  /** Stops after this many packets. */
  count?: number;
}

/** The captured interface. */
export interface CaptureInterface {
  kind: 'container' | 'network' | 'uplink';
  /** Name of the container or network; for an uplink, the name of the interface. */
  name: string;
  /** Full id; '' for an uplink. */
  id: string;
  link: string;
  mac: string;
  /** Addresses of the interface, with prefix length. */
  addresses: string[];
  /** The target's other interfaces, without `lo`. Of a network: its other bridges. Frames pass one of them, or several. */
  otherLinks: string[];
}

export interface CaptureSession {
  source: CaptureInterface;
  packets: PacketCapture;
  /** Names of the running containers, for labelling addresses in the output. */
  names: { address: string; name: string }[];
}
