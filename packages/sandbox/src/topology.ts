/** Networks, containers, the host and its peers as a graph for drawing. Pure. */
import { shortId } from '@netyard/core';
import { driverOf } from '@netyard/network';
import type { KnownPeer } from '@netyard/peers';
import type { NetworkRecord, SandboxConfig, SandboxState, Topology } from './contract.ts';

export interface TopologyInput {
  networks: readonly NetworkRecord[];
  running: readonly { config: SandboxConfig; state: SandboxState }[];
  peers: readonly KnownPeer[];
}

const hostId = 'host';

export function drawTopology({ networks, running, peers }: TopologyInput): Topology {
  const withAddresses = networks.filter((network) => driverOf(network).capabilities.addresses);
  return {
    nodes: [
      { id: hostId, kind: 'host', name: 'host', detail: {} },
      ...withAddresses.map(networkNode),
      ...running.map(containerNode),
      ...peers.map(peerNode),
    ],
    edges: [...withAddresses.flatMap(networkEdges), ...running.flatMap(containerEdges), ...peers.flatMap(peerEdges)],
  };
}

/** The interface through which the host reaches the network; empty without one. */
const linkOf = (network: NetworkRecord): string => driverOf(network).openPlanner(network).bridge?.link ?? '';

function networkNode(network: NetworkRecord): Topology['nodes'][number] {
  const subnet = network.ipam.v4?.[0]?.subnet ?? '';
  return { id: network.id, kind: 'network', name: network.name, detail: { subnet, link: linkOf(network) } };
}

/** None for a network whose traffic does not pass through the host. */
function networkEdges(network: NetworkRecord): Topology['edges'] {
  const link = linkOf(network);
  return link === '' ? [] : [{ from: network.id, to: hostId, address: network.ipam.v4?.[0]?.gateway ?? '', link }];
}

function containerNode({ config, state }: TopologyInput['running'][number]): Topology['nodes'][number] {
  const ports = state.ports.map((p) => `${p.hostAddress}:${p.hostPort}->${p.containerPort}/${p.protocol}`);
  return {
    id: config.containerId,
    kind: 'container',
    name: config.name,
    detail: { mode: config.mode.kind, id: shortId(config.containerId), ports: ports.join(', ') },
  };
}

function containerEdges({ config, state }: TopologyInput['running'][number]): Topology['edges'] {
  const from = config.containerId;
  if (state.sharedWith !== undefined) return [{ from, to: state.sharedWith, address: '', link: '' }];
  if (state.netnsPath === undefined) return [{ from, to: hostId, address: '', link: '' }];
  return state.endpoints
    .filter(({ addresses }) => addresses.v4 !== undefined || addresses.v6 !== undefined)
    .map((endpoint) => ({
      from,
      to: endpoint.networkId,
      address: endpoint.addresses.v4?.address ?? '',
      link: endpoint.hostLink,
    }));
}

const peerId = ({ record }: KnownPeer): string => `peer ${record.name}`;

function peerNode(peer: KnownPeer): Topology['nodes'][number] {
  const { record, origin, path, problem = '' } = peer;
  const detail = { subnets: record.subnets.join(', '), origin, path: path?.kind ?? '', problem };
  return { id: peerId(peer), kind: 'peer', name: record.name, detail };
}

/** Empty while the peer has no path. */
function peerEdges(peer: KnownPeer): Topology['edges'] {
  const { record, path } = peer;
  return path ? [{ from: peerId(peer), to: hostId, address: record.address, link: path.link }] : [];
}
