/** A host with containers on bridges, as `topology` observes it, for tests of predictions and explanations. */
import type { HostContainer, HostNamespace, HostTopology, NamespaceLink, NamespaceRoute } from '@netyard/topology';

const link = (index: number, name: string, rest: Partial<NamespaceLink> = {}): NamespaceLink => ({
  ...{ index, name, mtu: 1500, up: true, running: true, addresses: [], rpFilter: 0 },
  ...rest,
});

const route = (to: string, rest: Partial<NamespaceRoute>): NamespaceRoute => ({
  ...{ family: to.includes(':') ? 6 : 4, to, table: 254, type: 'unicast', protocol: 2 },
  ...rest,
});

const local = (address: string): NamespaceRoute => route(address, { table: 255, type: 'local', link: 'lo' });

const namespace = (id: string, name: string, rest: Partial<HostNamespace>): HostNamespace => ({
  ...{ id, path: `/proc/${id}/ns/net`, name, isHost: false, processes: [], links: [], routes: [], rules: [] },
  ...{ neighbours: [], sockets: [], forwarding: { v4: false, v6: false }, legacyTables: [] },
  ...rest,
});

/** A container with one interface on a bridge of the host. */
export interface FixtureContainer {
  name: string;
  network: string;
  address: string;
  rest?: Partial<HostContainer>;
  sockets?: HostNamespace['sockets'];
}

const bridges: Readonly<Record<string, { link: string; index: number; gateway: string; subnet: string }>> = {
  bridge: { link: 'docker0', index: 10, gateway: '172.17.0.1', subnet: '172.17.0.0/16' },
  back: { link: 'br-back', index: 11, gateway: '172.20.0.1', subnet: '172.20.0.0/16' },
};

export function hostWith(containers: readonly FixtureContainer[], change: Partial<HostNamespace> = {}): HostTopology {
  const inner = containers.map((container, index) => containerNamespace(container, index));
  const bridgeOf = ({ network }: FixtureContainer): (typeof bridges)[string] => bridges[network] ?? fail(network);
  const ports = containers.map((container, index) =>
    link(100 + index, `veth${index}`, {
      kind: 'veth',
      masterIndex: bridgeOf(container).index,
      peer: { namespaceId: `${1000 + index}`, index: 2 },
    }),
  );
  const host = namespace('1', 'host', {
    isHost: true,
    forwarding: { v4: true, v6: false },
    links: [
      link(1, 'lo', { addresses: ['127.0.0.1/8'] }),
      link(2, 'eth0', { addresses: ['192.0.2.1/24'] }),
      ...Object.values(bridges).map((bridge) =>
        link(bridge.index, bridge.link, { kind: 'bridge', addresses: [`${bridge.gateway}/16`] }),
      ),
      ...ports,
    ],
    routes: [
      ...['127.0.0.0/8', '192.0.2.1', ...Object.values(bridges).map(({ gateway }) => gateway)].map(local),
      route('192.0.2.0/24', { link: 'eth0' }),
      ...Object.values(bridges).map((bridge) => route(bridge.subnet, { link: bridge.link })),
      route('10.9.0.0/24', { link: 'eth0', via: '192.0.2.9' }),
    ],
    ...change,
  });
  return {
    ...{ hostName: 'host1', observedAt: '2026-01-01T00:00:00Z', engines: [], problems: [] },
    namespaces: [host, ...inner],
    containers: containers.map((container, index) => hostContainer(container, index)),
    networks: Object.entries(bridges).map(([name, bridge]) => ({
      ...{ engine: 'netyard', id: name, name, driver: 'bridge', link: bridge.link, internal: false, icc: true },
      ...{ subnets: [{ subnet: bridge.subnet, gateway: bridge.gateway }], options: {} },
    })),
  };
}

function fail(network: string): never {
  throw new Error(`the fixture has no network ${network}`);
}

function containerNamespace({ name, network, address, sockets = [] }: FixtureContainer, index: number): HostNamespace {
  const bridge = bridges[network] ?? fail(network);
  return namespace(`${1000 + index}`, name, {
    sockets,
    links: [
      link(1, 'lo', { addresses: ['127.0.0.1/8'] }),
      link(2, 'eth0', {
        kind: 'veth',
        mac: `02:00:00:00:00:0${index}`,
        addresses: [`${address}/16`],
        peer: { namespaceId: '1', index: 100 + index },
      }),
    ],
    routes: [
      local('127.0.0.0/8'),
      local(address),
      route(bridge.subnet, { link: 'eth0' }),
      route('default', { link: 'eth0', via: bridge.gateway }),
    ],
  });
}

const hostContainer = ({ name, network, address, rest }: FixtureContainer, index: number): HostContainer => ({
  ...{ engine: 'netyard', id: `${index}`.repeat(64), name, state: 'running', namespaceId: `${1000 + index}` },
  attachments: [{ network, addresses: [`${address}/16`], aliases: [] }],
  ...{ ports: [], exposed: [], links: [], paused: false },
  ...rest,
});

/** Puts containers of network `bridge` on a bridge of their own, `seg`, which the pair `trunk` and `uplink` joins to docker0. */
export function extend(topology: HostTopology, ...names: readonly string[]): HostTopology {
  const [host] = topology.namespaces;
  const inside = topology.namespaces.filter(({ name }) => names.includes(name)).map(({ id }) => id);
  for (const one of host?.links ?? []) if (inside.includes(one.peer?.namespaceId ?? '')) one.masterIndex = 50;
  const pair = (index: number, masterIndex: number, peer: number): Partial<NamespaceLink> => ({
    ...{ index, masterIndex, kind: 'veth', peer: { namespaceId: '1', index: peer } },
  });
  host?.links.push(
    link(50, 'seg', { kind: 'bridge' }),
    link(51, 'trunk', pair(51, 10, 52)),
    link(52, 'uplink', pair(52, 50, 51)),
  );
  return topology;
}

export function hostLink(topology: HostTopology, name: string): NamespaceLink {
  const found = topology.namespaces[0]?.links.find((candidate) => candidate.name === name);
  return found ?? fail(name);
}
