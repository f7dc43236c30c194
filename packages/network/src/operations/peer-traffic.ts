/**
 * What passed between our containers and those of peers, from the counters of the sets that let it through. No time is
 * kept there, so a peer is known to have been there when its counter has grown since somebody looked before: then it was
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
  packets: Count;
  bytes: Count;
  /** Nanoseconds since 1970. */
  lastSeen: bigint | undefined;
}

const none: Count = { in: 0n, out: 0n };
export const noTraffic: Traffic = { packets: none, bytes: none, lastSeen: undefined };

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
      const [from, to] = [incoming.get(name) ?? zero, outgoing.get(name) ?? zero];
      const before = context.traffic.get(name);
      const hasGrown = from.packets > 0n && from.packets !== before?.packets.in;
      return [
        name,
        {
          packets: { in: from.packets, out: to.packets },
          bytes: { in: from.bytes, out: to.bytes },
          lastSeen: hasGrown && before !== undefined ? now : before?.lastSeen,
        },
      ];
    }),
  );
  context.traffic = traffic;
  return traffic;
}

const zero = { packets: 0n, bytes: 0n };

function sumUp(elements: readonly ObservedElement[]): Map<string, { packets: bigint; bytes: bigint }> {
  const sums = new Map<string, { packets: bigint; bytes: bigint }>();
  for (const { comment, packets = 0n, bytes = 0n } of elements) {
    if (comment === undefined || !isPeerComment(comment)) continue;
    const name = nameOfComment(comment);
    const sum = sums.get(name) ?? zero;
    sums.set(name, { packets: sum.packets + packets, bytes: sum.bytes + bytes });
  }
  return sums;
}
