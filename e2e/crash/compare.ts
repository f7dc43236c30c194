/** Compares what the API reports with what exists in the host. Each difference is one line of text. Pure. */

import type { Slots } from './load.ts';
import type { Api, ApiContainer, ApiEndpoint, ApiNetwork, Observed } from './observe.ts';

export function compare(api: Api, observed: Observed): string[] {
  const running = api.containers.filter((container) => container.State.Running);
  return [
    ...compareBridges(api, observed),
    ...compareEndpoints(api, running, observed),
    ...compareNamespaces(running, observed),
    ...compareElements(api, running, observed),
    ...compareLeases(api, observed),
    ...sameLists('shims', running.map(idOf), observed.shims),
    ...sameLists('mounts', running.map(idOf), observed.mounts),
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
  const addresses = found.flatMap(({ ifname, addr_info: list = [] }) =>
    list.filter(({ family }) => family === 'inet').map(({ local, prefixlen }) => `${ifname} ${local}/${prefixlen}`),
  );
  const own = new Set(found.map(({ ifname }) => ifname));
  const subnetRoutes = routes.filter(({ dev }) => own.has(dev ?? '')).map(({ dst, dev }) => `${dev} ${dst}`);
  return [
    ...sameLists('bridges', networks.map(bridgeLink), [...own]),
    ...sameLists(
      'owners of bridges',
      networks.map((network) => `${bridgeLink(network)} netyard: network ${network.Name}`),
      found.map(({ ifname, ifalias }) => `${ifname} ${ifalias ?? ''}`),
    ),
    ...sameLists(
      'bridge addresses',
      networks.map((network) => `${bridgeLink(network)} ${gatewayOf(network)}/${lengthOf(network)}`),
      addresses,
    ),
    ...sameLists(
      'routes',
      networks.map((network) => `${bridgeLink(network)} ${subnetOf(network)}`),
      subnetRoutes,
    ),
  ];
}

const poolOf = (network: ApiNetwork): { Subnet: string; Gateway?: string } =>
  network.IPAM.Config?.[0] ?? { Subnet: 'none' };
const subnetOf = (network: ApiNetwork): string => poolOf(network).Subnet;
const gatewayOf = (network: ApiNetwork): string => poolOf(network).Gateway ?? 'none';
const lengthOf = (network: ApiNetwork): string => subnetOf(network).split('/')[1] ?? '';

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

const addressesOf = ({ NetworkSettings: { Networks: networks } }: ApiContainer): string[] =>
  Object.values(networks).map(({ IPAddress: address }) => address);

/** The two lists of the API agree, and each bridge has a port per endpoint. */
function compareEndpoints(api: Api, running: readonly ApiContainer[], { links }: Observed): string[] {
  const endpoints = endpointsOf(running);
  const ofContainers = endpoints.map(
    ({ container, network, endpoint }) => `${network} ${container.Id} ${endpoint.IPAddress} ${endpoint.MacAddress}`,
  );
  const ofNetworks = api.networks.flatMap(({ Name: name, Containers: members }) =>
    Object.entries(members ?? {}).map(
      ([id, { IPv4Address: address, MacAddress: mac }]) => `${name} ${id} ${address.split('/')[0]} ${mac}`,
    ),
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
  { links, routes }: { links: Observed['links']; routes: { dst: string; gateway?: string }[] },
): string[] {
  const endpoints = Object.values(settings.Networks);
  const found = links.flatMap(({ addr_info: list = [] }) =>
    list.filter(({ family, local }) => family === 'inet' && local !== '127.0.0.1'),
  );
  const gateways = endpoints.map(({ Gateway: gateway }) => gateway).filter((gateway) => gateway !== '');
  const defaults = routes.filter(({ dst }) => dst === 'default').map(({ gateway }) => gateway ?? '');
  const isRight = defaults.length <= 1 && defaults.every((gateway) => gateways.includes(gateway));
  return [
    ...sameLists(
      `${name}: addresses`,
      endpoints.map(({ IPAddress: address, IPPrefixLen: length }) => `${address}/${length}`),
      found.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ),
    ...(isRight && defaults.length === Math.min(1, gateways.length)
      ? []
      : [`${name}: default routes via ${defaults.join(', ')}, gateways ${gateways.join(', ')}`]),
  ];
}

function compareElements(api: Api, running: readonly ApiContainer[], { elements, links }: Observed): string[] {
  const networks = bridgesOf(api);
  const masters = new Map(links.map(({ ifname, master }) => [ifname, master ?? '']));
  const keys = (set: string): string[] =>
    elements.filter((one) => one.set === set).map(({ values }) => values.join(' '));
  const user = networks.filter(({ Name: name }) => name !== 'bridge');
  const linkOf = new Map(networks.map((network) => [network.Name, bridgeLink(network)]));
  const checked = endpointsOf(running).filter(({ network }) => user.some(({ Name: name }) => name === network));
  const isIsolated = ({ Options: options }: ApiNetwork): boolean =>
    options?.['com.docker.network.bridge.enable_icc'] === 'false';
  const isolated = networks.filter(isIsolated).map(bridgeLink);
  const ports = running.flatMap(({ NetworkSettings: { Ports: list } }) =>
    Object.values(list ?? {}).flatMap((bindings) => (bindings ?? []).map(({ HostPort: port }) => port)),
  );
  const ofBridge = (names: readonly string[]): string[] =>
    names.map((name) => masters.get(name) ?? `${name} (deleted)`);
  return [
    ...sameLists('set bridges', networks.map(bridgeLink), keys('bridges')),
    ...sameLists(
      'set internal_bridges',
      networks.filter(({ Internal: internal }) => internal).map(bridgeLink),
      keys('internal_bridges'),
    ),
    ...sameLists(
      'set no_icc_bridges',
      isolated.map((link) => `${link} ${link}`),
      keys('no_icc_bridges'),
    ),
    ...sameLists('set gateways', networks.map(gatewayOf), keys('gateways')),
    ...sameLists('set masqueraded', networks.filter(({ Internal: internal }) => !internal).map(subnetOf), [
      ...keys('masqueraded'),
      ...keys('masqueraded_24').map((subnet) => `${subnet}/24`),
    ]),
    ...sameLists(
      'set endpoint_addresses',
      checked.flatMap(({ container, network, endpoint }) =>
        addressesOf(container).map((address) => `${linkOf.get(network)} ${endpoint.MacAddress} ${address}`),
      ),
      elements
        .filter(({ set }) => set === 'endpoint_addresses')
        .map(({ values: [link = '', ...rest] }) => [...ofBridge([link]), ...rest].join(' ')),
    ),
    ...sameCounts('set checked_ports', checked.length, keys('checked_ports').length),
    ...sameLists(
      'set isolated_ports',
      isolated.filter((link) => [...masters.values()].includes(link)),
      ofBridge(keys('isolated_ports')),
    ),
    ...sameLists(
      'published ports',
      ports,
      elements.filter(({ set }) => set === 'published_any').map(({ values }) => values[1] ?? ''),
    ),
  ];
}

const sameCounts = (what: string, expected: number, found: number): string[] =>
  expected === found ? [] : [`${what}: ${found} elements, ${expected} expected`];

/** Running containers hold their addresses; stopped ones only those that they request. */
function compareLeases({ networks, containers }: Api, { leases }: Observed): string[] {
  const known = new Set(networks.map(idOf));
  const held = endpointsOf(containers).flatMap(({ container, network, endpoint }) => {
    const id = networks.find(({ Name: name }) => name === network)?.Id ?? '';
    const requested = endpoint.IPAMConfig?.IPv4Address;
    const address = container.State.Running ? endpoint.IPAddress : requested;
    return address && known.has(id) ? [`${network} ${address} ${container.Id}`] : [];
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
