/** Messages of a capture on stderr, formatted like tcpdump's. Pure. */
import type { CaptureHead, CaptureReader } from '@netyard/client';

/** tcpdump's names of link types; other types are shown by number. */
const linkTypes: Readonly<Record<number, string>> = {
  1: 'EN10MB (Ethernet)',
  12: 'RAW (Raw IP)',
  101: 'RAW (Raw IP)',
  113: 'LINUX_SLL (Linux cooked v1)',
};

export function beginText({ description, linkType, snapLength }: CaptureHead): string {
  const type = linkTypes[linkType] ?? linkType;
  return `listening on ${description}, link-type ${type}, snapshot length ${snapLength} bytes`;
}

/** The packet counts; without the daemon's counts if the connection ended before it sent them. */
export function endText({ packets, tail }: Pick<CaptureReader, 'packets' | 'tail'>): string {
  const lines = [`${plural(packets)} captured`];
  if (tail) lines.push(`${plural(tail.received)} received by filter`, `${plural(tail.dropped)} dropped by kernel`);
  return lines.join('\n');
}

const plural = (count: number): string => `${count} packet${count === 1 ? '' : 's'}`;
