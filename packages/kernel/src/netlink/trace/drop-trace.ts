/**
 * Why the kernel dropped packets: the tracepoint kfree_skb has the reason, but neither namespace nor port. So packets are
 * first recognized by their length at the tracepoints of links, then followed by the address of their struct sk_buff.
 */
import { readFileSync } from 'node:fs';
import { messageOf, NetyardError } from '@netyard/core';
import type { DroppedPacket, DropTrace, DropTraceRequest } from '../../packet-trace.ts';
import { withDetachedMount } from '../../system/detached-mount.ts';
import { findSymbols } from '../../system/kernel-symbols.ts';
import { TracepointEvents } from '../../system/perf-events.ts';
import { type EventFormat, parseFormat } from './drop-events.ts';
import { DropFollower, type DropFormats } from './drop-follower.ts';
import { ethernetLength } from './filter.ts';
import { etherType } from './match.ts';

const maxLengths = 16;

const isIp = [etherType.ip, etherType.ip6].map((type) => `protocol == ${type}`).join(' || ');

/** See `PacketTracing.openDropTrace`. */
export function openDropTrace({ lengths }: DropTraceRequest): DropTrace {
  if (lengths.length === 0 || lengths.length > maxLengths || lengths.some((one) => !Number.isInteger(one) || one < 1))
    throw new NetyardError('invalid', `invalid lengths of packets: ${lengths.join(', ')}`);
  try {
    const formats = readFormats();
    const isLength = (all: readonly number[]): string => all.map((length) => `len == ${length}`).join(' || ');
    const events = new TracepointEvents([
      { id: formats.drop.id, filter: isIp },
      { id: formats.in.id, filter: isLength(lengths) },
      // Transmitted packets have their Ethernet header already, if the link has one.
      { id: formats.out.id, filter: isLength(lengths.flatMap((length) => [length, length + ethernetLength])) },
    ]);
    return new PerfDropTrace(events, formats);
  } catch (error) {
    throw new NetyardError('unavailable', `cannot follow dropped packets: ${messageOf(error)}`, { cause: error });
  }
}

const readFormats = (): DropFormats =>
  withDetachedMount('tracefs', (root) => {
    const read = (event: string): EventFormat => parseFormat(readFileSync(`${root}/events/${event}/format`, 'utf8'));
    return { drop: read('skb/kfree_skb'), out: read('net/net_dev_queue'), in: read('net/netif_receive_skb') };
  });

class PerfDropTrace implements DropTrace {
  readonly #events: TracepointEvents;
  readonly #follower: DropFollower;

  constructor(events: TracepointEvents, formats: DropFormats) {
    this.#events = events;
    this.#follower = new DropFollower(formats);
  }

  get incomplete(): boolean {
    return this.#events.lost;
  }

  async read(): Promise<DroppedPacket[]> {
    const wallClock = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
    const offset = wallClock - process.hrtime.bigint();
    const drops = this.#events.read().flatMap((event) => this.#follower.add({ ...event, time: event.time + offset }));
    const symbols = await findSymbols(drops.map(({ address }) => address));
    return drops.map(({ address, ...drop }) => {
      const location = symbols.get(address);
      return { ...drop, ...(location === undefined ? {} : { location }) };
    });
  }

  close(): void {
    this.#events.close();
  }
}
