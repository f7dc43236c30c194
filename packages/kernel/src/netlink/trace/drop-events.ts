/** Parses tracepoint events of packets: seen at a link, dropped. Pure. */
import { hostIsLittleEndian, viewOf } from '../attribute.ts';

/** A field of an event: offset and size in bytes. */
interface Field {
  offset: number;
  size: number;
}

export interface EventFormat {
  id: number;
  fields: ReadonlyMap<string, Field>;
  /** Names of the values of `reason`. */
  reasons: ReadonlyMap<number, string>;
}

/** The file `format` of an event in tracefs. Numbers differ between kernels. */
export function parseFormat(text: string): EventFormat {
  const fields = [...text.matchAll(/field:([^;]*?)(\w+)(?:\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);/g)];
  const reasons = [...(text.split('print fmt:')[1] ?? '').matchAll(/\{ (\d+), "(\w+)" \}/g)];
  return {
    id: Number(/^ID: (\d+)$/m.exec(text)?.[1]),
    fields: new Map(
      fields.map(([, , name, offset, size]) => [name ?? '', { offset: Number(offset), size: Number(size) }]),
    ),
    reasons: new Map(reasons.map(([, value, name]) => [Number(value), name ?? ''])),
  };
}

function numberOf({ fields }: EventFormat, data: Uint8Array, name: string): bigint | undefined {
  const field = fields.get(name);
  if (field === undefined || data.length < field.offset + field.size) return undefined;
  const view = viewOf(data);
  switch (field.size) {
    case 8:
      return view.getBigUint64(field.offset, hostIsLittleEndian);
    case 4:
      return BigInt(view.getUint32(field.offset, hostIsLittleEndian));
    case 2:
      return BigInt(view.getUint16(field.offset, hostIsLittleEndian));
    default:
      return undefined;
  }
}

/** A text of variable length: its offset and length are in the two halves of the field. */
function textOf(format: EventFormat, data: Uint8Array, name: string): string {
  const place = Number(numberOf(format, data, name) ?? 0n);
  const [offset, length] = [place & 0xffff, place >>> 16];
  return Buffer.from(data.subarray(offset, offset + length))
    .toString('utf8')
    .replace(/\0.*$/s, '');
}

export interface SeenEvent {
  packet: bigint;
  link: string;
  length: number;
}

/** net:net_dev_queue and net:netif_receive_skb. */
export const decodeSeen = (format: EventFormat, data: Uint8Array): SeenEvent => ({
  packet: numberOf(format, data, 'skbaddr') ?? 0n,
  link: textOf(format, data, 'name'),
  length: Number(numberOf(format, data, 'len') ?? 0n),
});

export interface DropEvent {
  packet: bigint;
  location: bigint;
  reason: string;
}

/** skb:kfree_skb; kernels before 5.17 have no reasons. */
export function decodeDrop(format: EventFormat, data: Uint8Array): DropEvent {
  const reason = Number(numberOf(format, data, 'reason') ?? -1n);
  return {
    packet: numberOf(format, data, 'skbaddr') ?? 0n,
    location: numberOf(format, data, 'location') ?? 0n,
    reason: format.reasons.get(reason) ?? 'NOT_SPECIFIED',
  };
}

/** The event's number, the first field of all events. */
export const eventId = (data: Uint8Array): number =>
  data.length < 2 ? 0 : viewOf(data).getUint16(0, hostIsLittleEndian);
