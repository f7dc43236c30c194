/** Follows packets from tracepoint to tracepoint until they are dropped. Pure but for what it remembers. */
import type { DroppedPacket, TappedPacket } from '../../packet-trace.ts';
import type { TracepointEvent } from '../../system/perf-events.ts';
import { decodeDrop, decodeSeen, type EventFormat, eventId } from './drop-events.ts';
import { ethernetLength } from './filter.ts';

const maxFollowed = 4096;
/** Packets that a closed socket did not read. */
const ignoredReason = 'QUEUE_PURGE';
/** Of the clocks of taps and tracepoints. */
const maxDifference = 5_000_000n;

export interface DropFormats {
  drop: EventFormat;
  out: EventFormat;
  in: EventFormat;
}

export interface FollowedDrop extends Omit<DroppedPacket, 'location'> {
  address: bigint;
}

/** Follows packets from event to event. The kernel uses the address of a freed one again. */
export class DropFollower {
  readonly #formats: DropFormats;
  readonly #packets = new Map<bigint, DroppedPacket['seen']>();

  constructor(formats: DropFormats) {
    this.#formats = formats;
  }

  /** Events in the order of their times. Returns the drop of a followed packet. */
  add({ time, data }: TracepointEvent): FollowedDrop[] {
    const id = eventId(data);
    if (id === this.#formats.drop.id) return this.#dropped(time, data);
    if (id === this.#formats.in.id) this.#saw('in', time, data);
    if (id === this.#formats.out.id) this.#saw('out', time, data);
    return [];
  }

  #dropped(time: bigint, data: Uint8Array): FollowedDrop[] {
    const { packet, location, reason } = decodeDrop(this.#formats.drop, data);
    const seen = this.#packets.get(packet);
    this.#packets.delete(packet);
    return seen === undefined || reason === ignoredReason ? [] : [{ time, reason, address: location, seen }];
  }

  #saw(direction: 'in' | 'out', time: bigint, data: Uint8Array): void {
    const { packet, link, length } = decodeSeen(this.#formats[direction], data);
    const seen = this.#packets.get(packet) ?? [];
    this.#packets.delete(packet);
    this.#packets.set(packet, [...seen, { link, direction, time, length }]);
    for (const oldest of this.#packets.keys()) {
      if (this.#packets.size <= maxFollowed) return;
      this.#packets.delete(oldest);
    }
  }
}

/**
 * The drops of packets that taps saw: on a link of the same name, in the same direction, with the same length, within
 * 5 ms. The others are packets of other programs that have this length by chance.
 */
export const matchDrops = (drops: readonly DroppedPacket[], packets: readonly TappedPacket[]): DroppedPacket[] =>
  drops.filter(({ seen }) => seen.some((place) => packets.some((packet) => isSame(place, packet))));

function isSame(place: DroppedPacket['seen'][number], { link, direction, time, headers }: TappedPacket): boolean {
  const difference = time > place.time ? time - place.time : place.time - time;
  if (place.link !== link || (place.direction === 'out') !== (direction === 'out')) return false;
  return [headers.length, headers.length + ethernetLength].includes(place.length) && difference < maxDifference;
}
