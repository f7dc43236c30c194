/** Peers as Netyard's own JSON. Pure. */
import type { Peer, PeerAddRequest, PeerApi as PeerApiJson } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { PeerApi, PeerRequest, PeerState } from '@netyard/network';

export function translatePeer({ record, origin, path, routes, open, problems }: PeerState): Peer {
  return {
    Name: record.name,
    Address: record.address,
    Subnets: record.subnets,
    Via: record.via,
    Api: record.api ? translateApi(record.api) : null,
    Created: formatTime(record.created),
    Origin: origin,
    Path: path ? { Kind: path.kind, Link: path.link, Gateway: path.gateway, Source: path.source ?? '' } : null,
    Routes: routes.map(({ subnet, present }) => ({ Subnet: subnet, Present: present })),
    Open: open,
    Problems: problems,
  };
}

const translateApi = ({ url, ca, certificate, key }: PeerApi): PeerApiJson => ({
  Url: url,
  Ca: ca,
  Certificate: certificate,
  Key: key,
});

export function translatePeerRequest({ Name, Address, Subnets, Via, Api }: PeerAddRequest): PeerRequest {
  return {
    name: Name,
    address: Address,
    subnets: Subnets,
    ...(Via === undefined ? {} : { via: Via }),
    ...(Api ? { api: { url: Api.Url, ca: Api.Ca, certificate: Api.Certificate, key: Api.Key } } : {}),
  };
}
