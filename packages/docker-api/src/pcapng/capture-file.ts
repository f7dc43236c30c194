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

/**
 * `eth0 of container web (0123456789ab)`. A network with several bridges has frames that pass one of them only, which a
 * capture on another one does not show.
 */
export function describePlace({ kind, name, id, link, otherLinks }: CaptureInterface): string {
  if (kind === 'uplink') return `${link}, the uplink`;
  const place = `${link} of ${kind} ${name} (${shortId(id)})`;
  return kind === 'network' && otherLinks.length > 0
    ? `${place}, without what stays on ${listNames(otherLinks)}`
    : place;
}

const mostNames = 3;

const listNames = (names: readonly string[]): string =>
  names.length > mostNames
    ? `${names.slice(0, mostNames).join(', ')} and ${names.length - mostNames} more`
    : names.join(', ');
