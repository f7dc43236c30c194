/** Containers of other engines on this host, and namespaces of none, as `netyard topology` observes them. Pure. */
import type { ContainerEndpoint, ContainerItem, ContainerItemState, NetworkItem, PageItem } from '@netyard/page';
import type { ContainerAttachment, HostContainer, HostNetwork, HostTopology } from '@netyard/topology';

const maximumContainers = 500;
const maximumNetworks = 200;

/** @param host id of this host's item */
export function planOtherEngines(topology: HostTopology, host: string): PageItem[] {
  const containers = topology.containers.filter(({ engine }) => engine !== 'netyard').slice(0, maximumContainers);
  const used = new Set(containers.flatMap((container) => container.attachments.map((at) => networkKey(container, at))));
  const networks = topology.networks
    .filter(({ engine, name }) => used.has(`${engine}/${name}`))
    .slice(0, maximumNetworks);
  const ids = new Map(networks.map((network) => [`${network.engine}/${network.name}`, networkId(network)]));
  return [
    ...networks.map((network): PageItem => planNetwork(network, host)),
    ...containers.map((container): PageItem => planContainer(container, topology, { host, ids })),
  ];
}

const networkKey = ({ engine }: HostContainer, { network }: ContainerAttachment): string => `${engine}/${network}`;
const networkId = ({ engine, id }: HostNetwork): string => `${engine}:network:${id}`;

const planNetwork = (network: HostNetwork, host: string): NetworkItem => {
  const { engine, name, driver, link, subnets, internal, icc, mtu } = network;
  return {
    ...{ kind: 'network', id: networkId(network), host, name: `${engine}/${name}`, driver, subnets, internal, icc },
    ...(link === undefined ? {} : { link }),
    ...(mtu === undefined ? {} : { mtu }),
    problems: [],
    foreign: engine === 'netyard' ? 'docker' : engine,
  };
};

function planContainer(
  container: HostContainer,
  topology: HostTopology,
  { host, ids }: { host: string; ids: ReadonlyMap<string, string> },
): ContainerItem {
  const { engine, id, name, image, networkMode, attachments, ports } = container;
  return {
    ...{ kind: 'container', id: `${engine}:${id}`, host, name, image: image ?? '', state: stateOf(container) },
    mode: engine === 'namespace' ? 'namespace' : (networkMode ?? ''),
    endpoints: attachments.map((attachment) =>
      planEndpoint(attachment, ids.get(networkKey(container, attachment)), hostLinkOf(container, attachment, topology)),
    ),
    ports: ports.map(({ protocol, hostAddress, hostPort, containerPort }) => ({
      ...{ protocol, hostAddress, hostPort, containerPort },
    })),
    ...{ links: [], problems: [] },
    foreign: engine === 'netyard' ? 'docker' : engine,
  };
}

const stateOf = ({ state, paused }: HostContainer): ContainerItemState =>
  paused ? 'paused' : state === 'unknown' ? 'created' : state;

const planEndpoint = (
  { network, addresses, mac, aliases }: ContainerAttachment,
  id: string | undefined,
  hostLink: string | undefined,
): ContainerEndpoint => ({
  ...{ networkId: id ?? '', network, addresses: addresses.map((prefix) => prefix.replace(/\/\d+$/, '')) },
  names: [...aliases],
  ...(mac === undefined ? {} : { mac }),
  ...(hostLink === undefined ? {} : { hostLink }),
});

/** The end on the host of the veth pair whose other end has an attachment's MAC. */
function hostLinkOf(
  { namespaceId }: HostContainer,
  { mac }: ContainerAttachment,
  { namespaces }: HostTopology,
): string | undefined {
  const host = namespaces.find(({ isHost }) => isHost);
  const own = namespaces.find(({ id, isHost }) => id === namespaceId && !isHost);
  const peer = own?.links.find((link) => link.mac === mac && mac !== undefined)?.peer;
  return peer?.namespaceId === host?.id ? host?.links.find(({ index }) => index === peer?.index)?.name : undefined;
}
