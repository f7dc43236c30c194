/** Compares what the API reports with what exists in the host. Each difference is one line of text. Pure. */

import type { Slots } from './load.ts';
import type { Api, ApiContainer, ApiEndpoint, ApiNetwork, Observed } from './observe.ts';
import { compareSegments, mergeSegments } from './segments.ts';

export function compare(api: Api, all: Observed): string[] {
  const running = api.containers.filter((container) => container.State.Running);
  const networks = bridgesOf(api).map((network) => ({ ...network, link: bridgeLink(network) }));
  const observed = { ...all, links: mergeSegments(networks, all.links) };
  return [
    ...compareSegments(networks, all.links),
    ...compareBridges(api, observed),
    ...compareEndpoints(api, running, observed),
    ...compareNamespaces(running, observed),
    ...compareElements(api, running, observed),
    ...compareLeases(api, observed),
    ...sameLists('shims', running.map(idOf), observed.shims),
    ...sameLists('mounts', [], observed.mounts), // a running container's is in its own namespace
    ...sameLists('control groups', running.map(idOf), observed.cgroups),
    ...sameLists('layers', api.containers.map(idOf), observed.layers),
  ];
}

const idOf = ({ Id: id }: { Id: string }): string => id;

function sameLists(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const [required, present] = [new Set(expected), new Set(found)];
  return [
    ...[...required].filter((one) => !present.has(one)).map((one) => `${what}: ${one} is missing`),
    ...[...present].filter((one) => !required.has(one)).map((one) => `${what}: ${one} has no owner`),
  ];
}

const bridgesOf = ({ networks }: Api): ApiNetwork[] => networks.filter(({ Driver: driver }) => driver === 'bridge');

export const bridgeLink = ({ Id: id, Options: options }: ApiNetwork): string =>
  options?.['com.docker.network.bridge.name'] ?? `br-${id.slice(0, 12)}`;

function compareBridges(api: Api, { links, routes }: Observed): string[] {
  const networks = bridgesOf(api);
  const isBridge = ({ linkinfo }: Observed['links'][number]): boolean => linkinfo?.info_kind === 'bridge';
  const found = links.filter(isBridge);
  const addresses = found.flatMap((link) => globalAddresses(link).map((address) => `${link.ifname} ${address}`));
  const own = new Set(found.map(({ ifname }) => ifname));
  const subnetRoutes = routes
    .filter(({ dst, dev }) => own.has(dev ?? '') && !isLinkLocal(dst))
    .map(({ dst, dev }) => `${dev} ${dst}`);
  return [
    ...sameLists('bridges', networks.map(bridgeLink), [...own]),
    ...sameLists(
      'owners of bridges',
      networks.map((network) => `${bridgeLink(network)} netyard: network ${network.Name}`),
      found.map(({ ifname, ifalias }) => `${ifname} ${ifalias ?? ''}`),
    ),
    ...sameLists(
      'bridge addresses',
      networks.flatMap((network) =>
        poolsOf(network).map(
          ({ Subnet: subnet, Gateway: gateway }) => `${bridgeLink(network)} ${gateway}/${subnet.split('/')[1]}`,
        ),
      ),
      addresses,
    ),
    ...sameLists(
      'routes',
      networks.flatMap((network) => poolsOf(network).map(({ Subnet: subnet }) => `${bridgeLink(network)} ${subnet}`)),
      subnetRoutes,
    ),
  ];
}

const poolsOf = (network: ApiNetwork): { Subnet: string; Gateway?: string }[] => network.IPAM.Config ?? [];

const isLinkLocal = (address: string): boolean => /^(fe80:|ff00:)/.test(address);

/** With prefix lengths; without those of loopback and those that IPv6 gives each interface. */
const globalAddresses = ({ addr_info: list = [] }: Observed['links'][number]): string[] =>
  list.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`);

const isOf = (family: 'ip' | 'ip6', address: string): boolean => address.includes(':') === (family === 'ip6');

/** The lab host's own. */
const uplink = 'ens33';

interface NamedEndpoint {
  container: ApiContainer;
  network: string;
  endpoint: ApiEndpoint;
}

const endpointsOf = (containers: readonly ApiContainer[]): NamedEndpoint[] =>
  containers.flatMap((container) =>
    Object.entries(container.NetworkSettings.Networks).map(([network, endpoint]) => ({ container, network, endpoint })),
  );

const addressesOf = ({ IPAddress: v4, GlobalIPv6Address: v6 }: ApiEndpoint): string[] =>
  [v4, v6].filter((address) => address !== '');

const allAddresses = ({ NetworkSettings: { Networks: networks } }: ApiContainer): string[] =>
  Object.values(networks).flatMap(addressesOf);

/** The two lists of the API agree, and each bridge has a port per endpoint. */
function compareEndpoints(api: Api, running: readonly ApiContainer[], { links }: Observed): string[] {
  const endpoints = endpointsOf(running);
  const ofContainers = endpoints.map(
    ({ container, network, endpoint }) => `${network} ${container.Id} ${addressesOf(endpoint)} ${endpoint.MacAddress}`,
  );
  const ofNetworks = api.networks.flatMap(({ Name: name, Containers: members }) =>
    Object.entries(members ?? {}).map(([id, { IPv4Address: v4, IPv6Address: v6, MacAddress: mac }]) => {
      const addresses = [v4, v6].filter((address) => address !== '').map((address) => address.split('/')[0]);
      return `${name} ${id} ${addresses} ${mac}`;
    }),
  );
  const veths = links.filter(({ ifname, linkinfo }) => ifname !== uplink && linkinfo?.info_kind === 'veth');
  return [
    ...sameLists('endpoints in the networks', ofContainers, ofNetworks),
    ...veths.filter(({ ifalias }) => ifalias === undefined).map(({ ifname }) => `${ifname}: no owner text`),
    ...bridgesOf(api).flatMap((network) => {
      const expected = endpoints.filter((one) => one.network === network.Name).length;
      const ports = veths.filter(({ master }) => master === bridgeLink(network)).length;
      return ports === expected ? [] : [`${bridgeLink(network)}: ${ports} ports for ${expected} endpoints`];
    }),
    ...veths.filter(({ master }) => master === undefined).map(({ ifname }) => `${ifname}: no bridge`),
  ];
}

function compareNamespaces(running: readonly ApiContainer[], { namespaces }: Observed): string[] {
  const paths = running.map(({ NetworkSettings: settings }) => settings.SandboxKey);
  return [
    ...sameLists('namespaces', paths, [...namespaces.keys()]),
    ...running.flatMap((container) => {
      const inside = namespaces.get(container.NetworkSettings.SandboxKey);
      return inside ? compareNamespace(container, inside) : [];
    }),
  ];
}

function compareNamespace(
  { Name: name, NetworkSettings: settings }: ApiContainer,
  { links, routes }: { links: Observed['links']; routes: Observed['routes'] },
): string[] {
  const endpoints = Object.values(settings.Networks);
  const gateways = endpoints.flatMap(({ Gateway: v4, IPv6Gateway: v6 }) => [v4, v6].filter((one) => one !== ''));
  const defaults = routes.filter(({ dst }) => dst === 'default').map(({ gateway }) => gateway ?? '');
  return [
    ...sameLists(`${name}: addresses`, endpoints.flatMap(prefixesOf), links.flatMap(globalAddresses)),
    ...compareDefaultRoute(`${name}: default route`, 'ip', gateways, defaults),
    ...compareDefaultRoute(`${name}: IPv6 default route`, 'ip6', gateways, defaults),
  ];
}

const prefixesOf = (one: ApiEndpoint): string[] => [
  ...(one.IPAddress === '' ? [] : [`${one.IPAddress}/${one.IPPrefixLen}`]),
  ...(one.GlobalIPv6Address === '' ? [] : [`${one.GlobalIPv6Address}/${one.GlobalIPv6PrefixLen}`]),
];

/** Through one of the gateways, if there are any. */
function compareDefaultRoute(
  what: string,
  family: 'ip' | 'ip6',
  gateways: readonly string[],
  defaults: readonly string[],
): string[] {
  const [possible, found] = [gateways, defaults].map((list) => list.filter((address) => isOf(family, address)));
  const isRight =
    found?.length === Math.min(1, possible?.length ?? 0) && found.every((gateway) => possible?.includes(gateway));
  return isRight ? [] : [`${what} via ${found?.join(', ')}, gateways ${possible?.join(', ')}`];
}

function compareElements(api: Api, running: readonly ApiContainer[], observed: Observed): string[] {
  return [
    ...compareNetworkElements(api, observed, 'ip'),
    ...compareNetworkElements(api, observed, 'ip6'),
    ...compareEndpointElements(api, running, observed),
  ];
}

const isolates = ({ Options: options }: ApiNetwork): boolean =>
  options?.['com.docker.network.bridge.enable_icc'] === 'false';

/** In `ip netyard` all bridges, in `ip6 netyard` those of networks with IPv6. */
function compareNetworkElements(api: Api, { elements }: Observed, family: 'ip' | 'ip6'): string[] {
  const hasFamily = (network: ApiNetwork): boolean => family === 'ip' || poolsIn(network).length > 0;
  const poolsIn = (network: ApiNetwork) => poolsOf(network).filter(({ Subnet: subnet }) => isOf(family, subnet));
  const networks = bridgesOf(api).filter(hasFamily);
  const keys = (set: string): string[] =>
    elements.filter((one) => one.family === family && one.set === set).map(({ values }) => values.join(' '));
  const same = (set: string, expected: readonly string[], found = keys(set)): string[] =>
    sameLists(`set ${set} of ${family}`, expected, found);
  const [isolated, internal] = [isolates, ({ Internal: is }: ApiNetwork) => is].map((is) => networks.filter(is));
  return [
    ...same('bridges', networks.map(bridgeLink)),
    ...same('internal_bridges', (internal ?? []).map(bridgeLink)),
    ...same(
      'no_icc_bridges',
      (isolated ?? []).map((network) => `${bridgeLink(network)} ${bridgeLink(network)}`),
    ),
    ...same(
      'gateways',
      networks.flatMap(poolsIn).map(({ Gateway: gateway }) => gateway ?? 'none'),
    ),
    ...same(
      'masqueraded',
      networks
        .filter(({ Internal: is }) => !is)
        .flatMap((network) => poolsIn(network).map(({ Subnet: subnet }) => subnet)),
      [
        ...keys('masqueraded'),
        ...keys('masqueraded_24').map((subnet) => `${subnet}/24`),
        ...keys('masqueraded_64').map((subnet) => `${subnet}/64`),
      ],
    ),
  ];
}

function compareEndpointElements(api: Api, running: readonly ApiContainer[], { elements, links }: Observed): string[] {
  const networks = bridgesOf(api);
  const masters = new Map(links.map(({ ifname, master }) => [ifname, master ?? '']));
  const keys = (set: string): string[] =>
    elements.filter((one) => one.set === set).map(({ values }) => values.join(' '));
  const user = networks.filter(({ Name: name }) => name !== 'bridge');
  const linkOf = new Map(networks.map((network) => [network.Name, bridgeLink(network)]));
  const checked = endpointsOf(running).filter(({ network }) => user.some(({ Name: name }) => name === network));
  const isolated = networks.filter(isolates).map(bridgeLink);
  const ofBridge = (names: readonly string[]): string[] =>
    names.map((name) => masters.get(name) ?? `${name} (deleted)`);
  return [
    ...sameLists(
      'set endpoint_addresses',
      checked.flatMap(({ container, network, endpoint }) =>
        allAddresses(container).map((address) => `${linkOf.get(network)} ${endpoint.MacAddress} ${address}`),
      ),
      elements
        .filter(({ set }) => set === 'endpoint_addresses' || set === 'endpoint_addresses6')
        .filter(({ values }) => !isLinkLocal(values[2] ?? '')) // derived from the MAC
        .map(({ values: [link = '', ...rest] }) => [...ofBridge([link]), ...rest].join(' ')),
    ),
    ...sameCounts('set checked_ports', checked.length, keys('checked_ports').length),
    ...sameLists(
      'set isolated_ports',
      isolated.filter((link) => [...masters.values()].includes(link)),
      ofBridge(keys('isolated_ports')),
    ),
    ...comparePorts(running, elements, 'ip'),
    ...comparePorts(running, elements, 'ip6'),
  ];
}

/** IPv6 ports of containers without an IPv6 gateway are relayed, not translated. */
function comparePorts(
  running: readonly ApiContainer[],
  elements: Observed['elements'],
  family: 'ip' | 'ip6',
): string[] {
  const expected = running.flatMap(({ NetworkSettings: { Ports: list, Networks: endpoints } }) => {
    const isTranslated = family === 'ip' || Object.values(endpoints).some(({ IPv6Gateway: gateway }) => gateway !== '');
    const bindings = Object.values(list ?? {}).flatMap((all) => all ?? []);
    return bindings.filter(({ HostIp: ip }) => isTranslated && isOf(family, ip)).map(({ HostPort: port }) => port);
  });
  const found = elements.filter((one) => one.family === family && one.set === 'published_any');
  return sameLists(
    `published ports of ${family}`,
    expected,
    found.map(({ values }) => values[1] ?? ''),
  );
}

const sameCounts = (what: string, expected: number, found: number): string[] =>
  expected === found ? [] : [`${what}: ${found} elements, ${expected} expected`];

/** Running containers hold their addresses; stopped ones only those that they request. */
function compareLeases({ networks, containers }: Api, { leases }: Observed): string[] {
  const known = new Set(networks.map(idOf));
  const held = endpointsOf(containers).flatMap(({ container, network, endpoint }) => {
    const id = networks.find(({ Name: name }) => name === network)?.Id ?? '';
    const requested = endpoint.IPAMConfig?.IPv4Address;
    const addresses = container.State.Running ? addressesOf(endpoint) : requested ? [requested] : [];
    return known.has(id) ? addresses.map((address) => `${network} ${address} ${container.Id}`) : [];
  });
  const nameOf = (id: string): string => networks.find((network) => network.Id === id)?.Name ?? `removed ${id}`;
  return sameLists(
    'leases',
    held,
    leases.map(({ network, address, container }) => `${nameOf(network)} ${address} ${container}`),
  );
}

/** An operation that was answered has its effect; one that was interrupted has it or not. */
export function compareAnswers({ containers, networks }: Slots, api: Api): string[] {
  const byName = new Map(api.containers.map((container) => [container.Name.slice(1), container]));
  const present = new Set(api.networks.map(({ Name: name }) => name));
  const failures = networks
    .filter(({ name, exists, pending }) => pending === undefined && present.has(name) !== exists)
    .map(({ name, exists }) => `network ${name} ${exists ? 'is missing' : 'exists again'}`);
  for (const { name, exists, running, networks: expected, pending } of containers) {
    const found = byName.get(name);
    if (pending !== 'create' && pending !== 'rm' && (found !== undefined) !== exists)
      failures.push(`container ${name} ${exists ? 'is missing' : 'exists again'}`);
    if (!found || !exists) continue;
    if (!['start', 'stop', 'restart', 'rm'].includes(pending ?? '') && found.State.Running !== running)
      failures.push(`container ${name} ${running ? 'does not run' : 'runs again'}`);
    if (pending !== 'connect' && pending !== 'disconnect')
      failures.push(...sameLists(`networks of ${name}`, [...expected], Object.keys(found.NetworkSettings.Networks)));
  }
  return failures;
}

/** Sets the slots to what the API reports. */
export function adoptState({ containers, networks }: Slots, api: Api): void {
  const byName = new Map(api.containers.map((container) => [container.Name.slice(1), container]));
  for (const slot of networks) {
    slot.exists = api.networks.some(({ Name: name }) => name === slot.name);
    delete slot.pending;
  }
  for (const slot of containers) {
    const found = byName.get(slot.name);
    slot.exists = found !== undefined;
    slot.running = found?.State.Running === true;
    slot.networks = new Set(Object.keys(found?.NetworkSettings.Networks ?? {}));
    delete slot.pending;
  }
}
