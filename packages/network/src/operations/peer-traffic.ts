/**
 * Packets between our containers and those of peers, from the counters of the sets that let them through. The kernel keeps
 * no time there, so a peer was seen between two looks when the counter of what it sends has grown, and the later one is
 * told. `TrafficWatch` looks now and then, so that nobody has to ask twice.
 */

import type { Clock, Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { Kernel, ObservedElement } from '@netyard/kernel';
import type { NetyardSet } from '../firewall/table.ts';
import type { PeerTable } from '../peers/table.ts';
import { countingIn, countingOut, isPeerComment, nameOfComment } from '../plan/peer.ts';
import { listElements } from './table-elements.ts';

/** What the functions of this file work on. */
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

/** One listing of four sets, however many peers there are: with a thousand of them some 20 ms. */
const lookMilliseconds = 15_000;

/** By name of the peer; one listing of each set, however many they are. */
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

async function sumUp(context: PeerTrafficDependencies, sets: readonly NetyardSet[]): Promise<Map<string, bigint>> {
  const sums = new Map<string, bigint>();
  const elements: ObservedElement[] = [];
  for (const set of sets) elements.push(...(await listElements(context.kernel, set)));
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
  #look: Promise<void> = Promise.resolve();

  constructor(context: PeerTrafficDependencies) {
    this.#context = context;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#look = this.#look.then(() => this.#lookIfAny());
    }, lookMilliseconds).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#look;
  }

  async #lookIfAny(): Promise<void> {
    if (this.#context.peers.size === 0) return;
    try {
      await sampleTraffic(this.#context);
    } catch (error) {
      this.#context.logger.debug("peers' packets could not be counted", { error: messageOf(error) });
    }
  }
}
