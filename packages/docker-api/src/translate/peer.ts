/** Translates peers to and from Netyard's own JSON. Pure. */
import type { Peer, PeerAddRequest, PeerApi as PeerApiJson, PeerPath as PeerPathJson } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { PeerApi, PeerPath, PeerRequest, PeerState } from '@netyard/peers';

export function translatePeer(state: PeerState): Peer {
  const { record, origin, path, routes, open, packets, lastSeen, problems } = state;
  return {
    Name: record.name,
    Address: record.address,
    Subnets: record.subnets,
    Via: record.via,
    Api: record.api ? translateApi(record.api) : null,
    Created: formatTime(record.created),
    Origin: origin,
    Path: path ? translatePath(path) : null,
    Routes: routes.map(({ subnet, present }) => ({ Subnet: subnet, Present: present })),
    Open: open,
    Packets: { In: Number(packets.in), Out: Number(packets.out) },
    LastSeen: lastSeen === undefined ? '' : formatTime(lastSeen),
    Problems: problems,
  };
}

const translatePath = ({ kind, link, gateway, source, uplink, local, mtu }: PeerPath): PeerPathJson => ({
  Kind: kind,
  Link: link,
  Gateway: gateway,
  Source: source ?? '',
  Uplink: uplink,
  Local: local,
  MTU: mtu,
});

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
