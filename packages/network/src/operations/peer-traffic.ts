/**
 * Connections between our containers and those of peers, from the counters of the sets that let them through: only the
 * first packet of one comes there. No time is kept, so a peer is known to have been there when its counter has grown since somebody looked before: then it was
 * seen between the two looks, and the later one is told.
 */
import type { ObservedElement } from '@netyard/kernel';
import type { Context } from '../context.ts';
import { isPeerComment, nameOfComment } from '../plan/peer.ts';
import { listElements } from './orphans.ts';

interface Count {
  in: bigint;
  out: bigint;
}

export interface Traffic {
  connections: Count;
  /** Nanoseconds since 1970. */
  lastSeen: bigint | undefined;
}

const none: Count = { in: 0n, out: 0n };
export const noTraffic: Traffic = { connections: none, lastSeen: undefined };

/** By name of the peer; one listing of each set, however many they are. */
export async function lookAtTraffic(context: Context): Promise<ReadonlyMap<string, Traffic>> {
  const [incoming, outgoing] = [
    sumUp(await listElements(context, 'peer_paths')),
    sumUp(await listElements(context, 'peer_targets')),
  ];
  const now = context.clock.now();
  const names = new Set([...incoming.keys(), ...outgoing.keys()]);
  const traffic = new Map(
    [...names].map((name): [string, Traffic] => {
      const [from, to] = [incoming.get(name) ?? 0n, outgoing.get(name) ?? 0n];
      const before = context.traffic.get(name);
      const hasGrown = from > 0n && from !== before?.connections.in;
      return [
        name,
        {
          connections: { in: from, out: to },
          lastSeen: hasGrown && before !== undefined ? now : before?.lastSeen,
        },
      ];
    }),
  );
  context.traffic = traffic;
  return traffic;
}

function sumUp(elements: readonly ObservedElement[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { comment, packets = 0n } of elements) {
    if (comment === undefined || !isPeerComment(comment)) continue;
    const name = nameOfComment(comment);
    sums.set(name, (sums.get(name) ?? 0n) + packets);
  }
  return sums;
}
