/** Peers as Netyard's own JSON. Pure. */
import type { Peer } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { PeerState } from '@netyard/network';

export function translatePeer({ record, origin, path, routes, open, problems }: PeerState): Peer {
  return {
    Name: record.name,
    Address: record.address,
    Subnets: record.subnets,
    Via: record.via,
    Created: formatTime(record.created),
    Origin: origin,
    Path: path ? { Kind: path.kind, Link: path.link, Gateway: path.gateway, Source: path.source ?? '' } : null,
    Routes: routes.map(({ subnet, present }) => ({ Subnet: subnet, Present: present })),
    Open: open,
    Problems: problems,
  };
}
