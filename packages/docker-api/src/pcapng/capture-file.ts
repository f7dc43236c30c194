/** Encodes a capture as a pcapng file: interface, packets as they arrive, statistics at the end. */
import { type Clock, messageOf, shortId } from '@netyard/core';
import type { CaptureInterface, CaptureSession } from '@netyard/sandbox';
import { encodeInterface, encodeNames, encodePackets, encodeSection, encodeStatistics } from './blocks.ts';

export const pcapngType = 'application/x-pcapng';

/** Facts about the daemon and its host. */
export interface CaptureFacts {
  version: string;
  hostname: string;
  operatingSystem: string;
  kernelVersion: string;
  machine: string;
}

/** If the capture ends by itself (its interface was deleted), the last block's comment says why. */
export async function* captureFile(
  session: CaptureSession,
  filter: string,
  facts: CaptureFacts,
  clock: Clock,
): AsyncGenerator<Buffer> {
  const { source, packets } = session;
  const start = clock.now();
  yield encodeHead(session, filter, facts);
  let comment = '';
  try {
    for await (const some of packets.packets()) yield encodePackets(some);
  } catch (error) {
    comment = `${describePlace(source)}: ${messageOf(error)}`;
  }
  yield encodeStatistics({ start, end: clock.now(), ...packets.statistics(), comment });
}

function encodeHead({ source, packets, names }: CaptureSession, filter: string, facts: CaptureFacts): Buffer {
  const os = `${facts.operatingSystem}, Linux ${facts.kernelVersion}`;
  const suffix = filter === '' ? '' : `, filter: ${filter}`;
  const section = encodeSection({
    hardware: facts.machine,
    os,
    application: `Netyard ${facts.version}`,
    comment: `${describePlace(source)} on host ${facts.hostname}${suffix}`,
  });
  const link = encodeInterface({
    linkType: packets.linkType,
    snapLength: packets.snapLength,
    name: source.link,
    description: describePlace(source),
    addresses: source.addresses,
    mac: source.mac,
    filter,
    os,
  });
  return Buffer.concat([section, link, encodeNames(names)]);
}

/** `eth0 of container web (0123456789ab)` */
export function describePlace({ kind, name, id, link }: CaptureInterface): string {
  return kind === 'uplink' ? `${link}, the uplink` : `${link} of ${kind} ${name} (${shortId(id)})`;
}
