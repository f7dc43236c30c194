/**
 * Counts packets between this host's containers and those of peers, from the counters of the sets that accept them. These
 * counters have no timestamps: a peer counts as seen when its incoming counter has grown since the previous sample, and
 * the time of the later sample is reported. `TrafficWatch` samples periodically, so that one request is sufficient.
 */

import { type Clock, type Logger, messageOf } from '@netyard/core';
import { type Kernel, listElementsIfAny, type ObservedElement } from '@netyard/kernel';
import { countingIn, countingOut, inTables, isPeerComment, nameOfComment, type PeerSet } from '../sets.ts';
import type { PeerTable } from '../table.ts';

/** Dependencies of the functions in this file. */
export interface PeerTrafficDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly peers: PeerTable;
  traffic: ReadonlyMap<string, Traffic>;
}

interface Count {
  in: bigint;
  out: bigint;
}

export interface Traffic {
  packets: Count;
  /** Nanoseconds since 1970. */
  lastSeen: bigint | undefined;
}

const none: Count = { in: 0n, out: 0n };
export const noTraffic: Traffic = { packets: none, lastSeen: undefined };

/** A sample dumps eight sets, independent of the number of peers: some 20 ms with a thousand of them. */
const sampleMilliseconds = 15_000;

/** Samples the counters, by name of the peer; with one dump per set, independent of the number of peers. */
export async function sampleTraffic(context: PeerTrafficDependencies): Promise<ReadonlyMap<string, Traffic>> {
  const [incoming, outgoing] = [await sumUp(context, countingIn), await sumUp(context, countingOut)];
  const now = context.clock.now();
  const names = new Set([...incoming.keys(), ...outgoing.keys()]);
  const traffic = new Map(
    [...names].map((name): [string, Traffic] => {
      const packets = { in: incoming.get(name) ?? 0n, out: outgoing.get(name) ?? 0n };
      const before = context.traffic.get(name);
      const hasGrown = before !== undefined && packets.in > 0n && packets.in !== before.packets.in;
      return [name, { packets, lastSeen: hasGrown ? now : before?.lastSeen }];
    }),
  );
  context.traffic = traffic;
  return traffic;
}

async function sumUp(context: PeerTrafficDependencies, sets: readonly PeerSet[]): Promise<Map<string, bigint>> {
  const sums = new Map<string, bigint>();
  const elements: ObservedElement[] = [];
  for (const set of inTables(sets)) elements.push(...(await listElementsIfAny(context.kernel, set)));
  for (const { comment, packets = 0n } of elements) {
    if (comment === undefined || !isPeerComment(comment)) continue;
    const name = nameOfComment(comment);
    sums.set(name, (sums.get(name) ?? 0n) + packets);
  }
  return sums;
}

export class TrafficWatch {
  readonly #context: PeerTrafficDependencies;
  #timer: NodeJS.Timeout | undefined;
  #sample: Promise<void> = Promise.resolve();

  constructor(context: PeerTrafficDependencies) {
    this.#context = context;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sample = this.#sample.then(() => this.#sampleIfAnyPeer());
    }, sampleMilliseconds).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sample;
  }

  async #sampleIfAnyPeer(): Promise<void> {
    if (this.#context.peers.size === 0) return;
    try {
      await sampleTraffic(this.#context);
    } catch (error) {
      this.#context.logger.debug('the packet counters of peers could not be read', { error: messageOf(error) });
    }
  }
}
