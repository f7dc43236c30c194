/** Encodes a capture as a pcapng file: interface, packets as they arrive, statistics at the end. */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { encodeInterface, encodeNames, encodePackets, encodeSection, encodeStatistics, type Packet } from './blocks.ts';

/** A running capture, such as that of the kernel package. */
export interface CaptureSource {
  /** LINKTYPE_ value. */
  linkType: number;
  snapLength: number;
  packets(): AsyncIterable<readonly Packet[]>;
  statistics(): { captured: number; received: number; dropped: number };
}

export interface CaptureDescription {
  /** `eth0 of container web (0123456789ab)` */
  place: string;
  link: string;
  /** Of the link, with prefix length. */
  addresses: readonly string[];
  /** '' for a link without one. */
  mac: string;
  /** pcap-filter(7) expression; '' for none. */
  filter: string;
  /** For labelling addresses in the output. */
  names: readonly { address: string; name: string }[];
}

/** Facts about the capturing program and its host. */
export interface CaptureFacts {
  version: string;
  hostname: string;
  operatingSystem: string;
  kernelVersion: string;
  machine: string;
}

/** If the capture ends by itself (its interface was deleted), the last block's comment says why. */
export async function* encodeCapture(
  source: CaptureSource,
  description: CaptureDescription,
  facts: CaptureFacts,
  clock: Clock,
): AsyncGenerator<Buffer> {
  const start = clock.now();
  yield encodeHead(source, description, facts);
  let comment = '';
  try {
    for await (const some of source.packets()) yield encodePackets(some);
  } catch (error) {
    comment = `${description.place}: ${messageOf(error)}`;
  }
  yield encodeStatistics({ start, end: clock.now(), ...source.statistics(), comment });
}

function encodeHead(source: CaptureSource, description: CaptureDescription, facts: CaptureFacts): Buffer {
  const { place, link, addresses, mac, filter, names } = description;
  const os = `${facts.operatingSystem}, Linux ${facts.kernelVersion}`;
  const suffix = filter === '' ? '' : `, filter: ${filter}`;
  const section = encodeSection({
    hardware: facts.machine,
    os,
    application: `Netyard ${facts.version}`,
    comment: `${place} on host ${facts.hostname}${suffix}`,
  });
  const { linkType, snapLength } = source;
  const face = { linkType, snapLength, name: link, description: place, addresses, mac, filter, os };
  return Buffer.concat([section, encodeInterface(face), encodeNames(names)]);
}
