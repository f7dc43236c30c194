/** A capture of the network package as a pcapng file. */
import { type CaptureFacts, type Clock, encodeCapture, shortId } from '@netyard/core';
import type { CaptureInterface, CaptureSession } from '@netyard/sandbox';

export const pcapngType = 'application/x-pcapng';

export function captureFile(
  { source, packets, names }: CaptureSession,
  filter: string,
  facts: CaptureFacts,
  clock: Clock,
): AsyncGenerator<Buffer> {
  const { link, addresses, mac } = source;
  return encodeCapture(packets, { place: describePlace(source), link, addresses, mac, filter, names }, facts, clock);
}

/** `eth0 of container web (0123456789ab)` */
export function describePlace({ kind, name, id, link }: CaptureInterface): string {
  return kind === 'uplink' ? `${link}, the uplink` : `${link} of ${kind} ${name} (${shortId(id)})`;
}
