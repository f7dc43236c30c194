/** Metrics of the host: connection tracking, peers, pools of addresses. Pure. */
import type { PeerState } from '@netyard/peers';
import type { Networks } from '@netyard/sandbox';
import { type Family, family, single } from './exposition.ts';

export interface Conntrack {
  entries: number;
  limit: number;
}

/** node_exporter's names. */
export const conntrackFamilies = (conntrack: Conntrack | undefined): Family[] => [
  single('gauge', 'node_nf_conntrack_entries', 'Connections that the kernel tracks.', conntrack?.entries),
  single('gauge', 'node_nf_conntrack_entries_limit', 'Most connections that the kernel tracks.', conntrack?.limit),
];

/** A peer is up if the path to it is known and every kernel object of it is as planned. */
export function peerFamilies(peers: readonly PeerState[]): Family[] {
  const packets = peers.flatMap(({ record, packets }) =>
    (['in', 'out'] as const).map((direction) => ({ peer: record.name, direction, count: packets[direction] })),
  );
  return [
    family(
      'gauge',
      'netyard_peer_up',
      'Whether the path to the peer is known and set up on this host.',
      peers,
      ({ record, path, open, problems }) => [
        { peer: record.name, via: path?.kind ?? 'none' },
        path && open && problems.length === 0 ? 1 : 0,
      ],
    ),
    family(
      'counter',
      'netyard_peer_packets_total',
      'Packets from the containers of the peer (in) and to them (out).',
      packets,
      ({ peer, direction, count }) => [{ peer, direction }, count],
    ),
  ];
}

export interface PoolReading {
  network: string;
  subnets: ReturnType<Networks['subnetUse']>;
}

/** Networks without addresses have no pool. */
export function poolFamilies(pools: readonly PoolReading[]): Family[] {
  const counts = pools.flatMap(({ network, subnets }) =>
    (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const own = subnets.filter(({ subnet }) => subnet.includes(':') === (family === 'ipv6'));
      if (own.length === 0) return [];
      const sum = (key: 'inUse' | 'available'): bigint => own.reduce((total, use) => total + use[key], 0n);
      return [
        { labels: { network, family, state: 'used' }, count: sum('inUse') },
        { labels: { network, family, state: 'free' }, count: sum('available') },
      ];
    }),
  );
  return [
    family(
      'gauge',
      'netyard_pool_addresses',
      'Addresses of the network that are used or reserved, and those left for automatic allocation.',
      counts,
      ({ labels, count }) => [labels, count],
    ),
  ];
}
