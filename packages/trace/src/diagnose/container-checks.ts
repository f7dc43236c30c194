/** Checks of one container: state, interfaces, addresses, routes, listeners, names. Pure. */
import type { HostContainer, ListeningSocket, NamespaceLink, PublishedPort } from '@netyard/topology';
import { attachmentProblems } from '../attachment-problems.ts';
import { commandLine } from '../command-line.ts';
import { commandIn, engineCommand } from '../explain/case.ts';
import { isIn, lookUpRoute, withoutLength } from '../route-lookup.ts';
import {
  attachedNetworks,
  broken,
  type ContainerCheck,
  type DiagnosedContainer,
  type DiagnoseFinding,
  fine,
  interfacesOf,
  suspicious,
} from './finding.ts';

const state: ContainerCheck = ({ container }) => {
  const { name } = container;
  if (container.paused) return [broken('state', `${name} is paused`, engineCommand(container, 'unpause', name))];
  if (container.state === 'running') return [fine('state', `${name} runs`)];
  if (container.state === 'unknown') return [];
  return [broken('state', `${name} is ${container.state}`, engineCommand(container, 'start', name))];
};

/** A command for the container's own namespace. */
const inside = ({ topology, container }: DiagnosedContainer, command: string): string =>
  commandIn({ topology }, container.namespaceId ?? '', command);

/** Each interface and its end on the host: up, in the right bridge, with equal MTUs. */
const interfaces: ContainerCheck = (diagnosed) => {
  const pairs = interfacesOf(diagnosed);
  const findings = pairs.flatMap(({ inner, outer }) => {
    const { name } = diagnosed.container;
    const found: DiagnoseFinding[] = [];
    if (!inner.up)
      found.push(
        broken(
          'link',
          `${inner.name} of ${name} is down`,
          inside(diagnosed, commandLine`ip link set ${inner.name} up`),
        ),
      );
    if (outer === undefined) return found;
    if (!outer.up)
      found.push(
        broken('link', `${outer.name} of ${name} is down on the host`, commandLine`ip link set ${outer.name} up`),
      );
    if (outer.mtu !== inner.mtu) {
      found.push(
        broken(
          'veth-mtu',
          `${outer.name} has MTU ${outer.mtu}, ${inner.name} of ${name} ${inner.mtu}: longer packets vanish without ICMP`,
          commandLine`ip link set ${outer.name} mtu ${inner.mtu}`,
        ),
      );
    }
    return [...found, ...bridgeFindings(diagnosed, inner.addresses, outer)];
  });
  return findings.length > 0 || pairs.length === 0
    ? findings
    : [fine('link', `${pairs.map(({ inner }) => inner.name).join(', ')} of ${diagnosed.container.name}: up`)];
};

function bridgeFindings(
  diagnosed: DiagnosedContainer,
  addresses: readonly string[],
  outer: NamespaceLink,
): DiagnoseFinding[] {
  const network = attachedNetworks(diagnosed).find(({ subnets }) =>
    addresses.some((address) => subnets.some(({ subnet }) => isIn(address, subnet))),
  );
  const { host } = diagnosed;
  const bridge = host?.links.find(({ name }) => name === network?.link);
  if (host === undefined || network === undefined || network.driver !== 'bridge' || network.link === undefined)
    return [];
  if (bridge === undefined) return [broken('bridge', `${network.link} of network ${network.name} is missing`)];
  return attachmentProblems(host, outer, bridge).map(({ link, text, fix }) => {
    const of = text === 'is down' ? ` of network ${network.name}` : '';
    return broken('bridge', `${link}${of} ${text}`, fix);
  });
}

/** The addresses that the engine reports are on the container's interfaces, and on no other container's. */
const addresses: ContainerCheck = ({ container, namespace, topology }) => {
  if (namespace === undefined || namespace.isHost) return [];
  const own = namespace.links.flatMap((link) => link.addresses.map(withoutLength));
  const reported = container.attachments.flatMap((attachment) => attachment.addresses.map(withoutLength));
  const missing = reported.filter((address) => !own.includes(address));
  const doubled = reported.flatMap((address) => {
    const others = topology.namespaces.filter(
      ({ id, links }) =>
        id !== namespace.id && links.some((link) => link.addresses.some((at) => withoutLength(at) === address)),
    );
    return others.map(({ name }) => ({ address, name }));
  });
  const findings = [
    ...missing.map((address) =>
      broken(
        'address',
        `${container.name} has lost its address ${address}`,
        engineCommand(container, 'restart', container.name),
      ),
    ),
    ...doubled.map(({ address, name }) =>
      broken(
        'address',
        `${address} of ${container.name} is also an address of ${name}`,
        `give ${name} another address`,
      ),
    ),
  ];
  return findings.length > 0 || reported.length === 0
    ? findings
    : [fine('address', `addresses of ${container.name}: ${reported.join(', ')}`)];
};

const routes: ContainerCheck = (diagnosed) => {
  const { container, namespace } = diagnosed;
  if (namespace === undefined || namespace.isHost || container.attachments.length === 0) return [];
  const gateways = container.attachments.flatMap(({ gateway }) =>
    gateway === undefined || gateway === '' ? [] : [gateway],
  );
  const isInternal = attachedNetworks(diagnosed).every(({ internal }) => internal);
  const found = namespace.routes.find(({ to, type }) => to === 'default' && type === 'unicast');
  if (found !== undefined) return [fine('route', `default route of ${container.name} via ${found.via ?? found.link}`)];
  if (isInternal) return [fine('route', `${container.name} has no default route: all its networks are internal`)];
  const [gateway] = gateways;
  if (gateway === undefined || lookUpRoute(namespace, gateway) === undefined) {
    return [
      broken('route', `${container.name} has no default route`, engineCommand(container, 'restart', container.name)),
    ];
  }
  return [
    broken(
      'route',
      `${container.name} has no default route`,
      inside(diagnosed, commandLine`ip route add default via ${gateway}`),
    ),
  ];
};

/** Published ports that nothing in the container listens on. */
const listeners: ContainerCheck = ({ container, namespace }) => {
  if (namespace === undefined || container.state !== 'running') return [];
  const published = uniquePorts(container);
  const findings = published.flatMap((port) => listenerFindings(container, namespace.sockets, port));
  return findings.length > 0 || published.length === 0
    ? findings
    : [
        fine(
          'listener',
          `published ports of ${container.name} with a listener: ${published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`).join(', ')}`,
        ),
      ];
};

const uniquePorts = ({ ports }: HostContainer): PublishedPort[] =>
  ports.filter(
    (port, index) =>
      index ===
      ports.findIndex((other) => other.protocol === port.protocol && other.containerPort === port.containerPort),
  );

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

function listenerFindings(
  container: HostContainer,
  sockets: readonly ListeningSocket[],
  port: PublishedPort,
): DiagnoseFinding[] {
  const own = sockets.filter((socket) => socket.protocol === port.protocol && socket.port === port.containerPort);
  const text = `${port.containerPort}/${port.protocol}`;
  if (own.length === 0) {
    return [
      suspicious(
        'listener',
        `${container.name} publishes ${text}, and nothing listens on it`,
        `start the program that should listen on ${text}`,
      ),
    ];
  }
  const reachable = own.filter(({ address }) => !isLoopback(address));
  if (reachable.length > 0) return backlogFindings(container, reachable);
  const [socket] = own;
  const name = socket?.process?.name ?? 'the program';
  return [
    broken(
      'listener',
      `${name} in ${container.name} listens on ${socket?.address}:${port.containerPort} only`,
      `let ${name} listen on 0.0.0.0:${port.containerPort}`,
    ),
  ];
}

const backlogFindings = (container: HostContainer, sockets: readonly ListeningSocket[]): DiagnoseFinding[] =>
  sockets
    .filter(({ protocol, waiting, backlog }) => protocol === 'tcp' && waiting > backlog)
    .map(({ port, waiting, backlog, process }) =>
      broken(
        'listener',
        `the listener on ${port}/tcp of ${container.name} has ${waiting} of ${backlog} connections waiting`,
        `find out why ${process?.name ?? 'the program'} does not accept them`,
      ),
    );

/** Names in the hosts file that belong to other containers now. */
const names: ContainerCheck = ({ container, topology, hosts }) => {
  const others = topology.containers.filter(({ engine, id }) => engine === container.engine && id !== container.id);
  const addressesOf = new Map(
    others.map(({ name, attachments }) => [name, attachments.flatMap(({ addresses }) => addresses.map(withoutLength))]),
  );
  // The container writes this file: one finding per name, however many lines it has.
  const stale = new Map<string, string>();
  for (const { address, names: listed } of hosts) {
    for (const name of listed) {
      const own = addressesOf.get(name) ?? [];
      if (own.length > 0 && !own.includes(address) && !stale.has(name)) stale.set(name, address);
    }
  }
  return [...stale].map(([name, address]) =>
    broken(
      'name',
      `the hosts file of ${container.name} has ${address} for ${name}, which is ${addressesOf.get(name)?.[0]}`,
      engineCommand(container, 'restart', container.name),
    ),
  );
};

/** Entries that an administrator or a program made by hand, for addresses that other containers have with another MAC. */
const neighbours: ContainerCheck = ({ container, namespace, topology }) => {
  const own = container.attachments.flatMap((attachment) => attachment.addresses.map(withoutLength));
  const mac = namespace?.links.find((link) =>
    link.addresses.some((address) => own.includes(withoutLength(address))),
  )?.mac;
  if (namespace === undefined || mac === undefined || namespace.isHost) return [];
  return topology.namespaces.flatMap((other) =>
    other.neighbours
      .filter(
        (entry) =>
          entry.state === 'permanent' && own.includes(entry.address) && entry.mac !== undefined && entry.mac !== mac,
      )
      .map(({ address, link }) =>
        broken(
          'neighbour',
          `${other.name} has a permanent neighbour entry with a wrong MAC for ${address}`,
          commandIn({ topology }, other.id, commandLine`ip neigh del ${address} dev ${link}`),
        ),
      ),
  );
};

export const containerChecks: readonly ContainerCheck[] = [
  state,
  interfaces,
  addresses,
  routes,
  listeners,
  names,
  neighbours,
];
