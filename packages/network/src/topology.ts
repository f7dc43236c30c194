/** Networks, containers and the host as a graph for drawing. Pure. */
import { shortId } from '@netyard/core';
import type { NetworkRecord, SandboxConfig, SandboxState, Topology } from './contract.ts';

export interface TopologyInput {
  networks: readonly NetworkRecord[];
  running: readonly { config: SandboxConfig; state: SandboxState }[];
}

const hostId = 'host';

export function drawTopology({ networks, running }: TopologyInput): Topology {
  const bridges = networks.filter((network) => network.driver === 'bridge');
  return {
    nodes: [
      { id: hostId, kind: 'host', name: 'host', detail: {} },
      ...bridges.map(networkNode),
      ...running.map(containerNode),
    ],
    edges: [...bridges.map(bridgeEdge), ...running.flatMap(containerEdges)],
  };
}

function networkNode(network: NetworkRecord): Topology['nodes'][number] {
  const pool = network.ipam.pools[0];
  const link = network.options['com.docker.network.bridge.name'] ?? '';
  return { id: network.id, kind: 'network', name: network.name, detail: { subnet: pool?.subnet ?? '', link } };
}

function bridgeEdge(network: NetworkRecord): Topology['edges'][number] {
  const link = network.options['com.docker.network.bridge.name'] ?? '';
  return { from: network.id, to: hostId, address: network.ipam.pools[0]?.gateway ?? '', link };
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
    .filter((endpoint) => endpoint.hostLink !== '')
    .map((endpoint) => ({ from, to: endpoint.networkId, address: endpoint.ipv4Address, link: endpoint.hostLink }));
}
