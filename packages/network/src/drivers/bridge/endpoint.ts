/**
 * The plan of one endpoint: a veth pair from the network's bridge, or a segment of it, into the sandbox, its address, its route, its elements in
 * Netyard's tables. Pure.
 */
import { linkLocalOfMac, parseIp, shortId } from '@netyard/core';
import type { KernelObject, NftElementObject, VethObject } from '@netyard/kernel';
import type { EndpointState, PublishedPort } from '../../contract.ts';
import { type Family, families, familyOfAddress, valuesOf } from '../../family.ts';
import { elementComment, planDirectPorts, planPublishedPorts, planRelayedPorts } from '../../firewall/publish.ts';
import { element } from '../../firewall/table.ts';
import type { BridgeSettings } from '../../model.ts';
import { ownerText } from '../../object-names.ts';
import { carriesIpv6, planAddresses, planDefaultRoutes, planInterfaceSettings } from '../addresses.ts';
import type { EndpointPlanInput } from '../driver.ts';
import { planNdpProxy } from './ndp-proxy.ts';
import { masterOf } from './segment.ts';

/**
 * The port needs no IPv6: only the bridge has addresses. With it, the kernel gives each port an address and three routes,
 * which every deletion of another interface searches.
 */
export function planVeth(bridge: BridgeSettings, input: EndpointPlanInput): VethObject {
  const { endpoint } = input;
  return {
    kind: 'veth',
    name: endpoint.hostLink,
    mtu: bridge.mtu,
    owner: ownerOf(bridge, input),
    master: masterOf(bridge, endpoint, input.facts),
    hairpin: input.facts.bridgeNetfilter,
    ...(input.facts.ipv6 && carriesIpv6(bridge.mtu) ? { disableIpv6: true } : {}),
    up: true,
    peer: { ns: input.netnsPath, name: endpoint.link, mac: endpoint.mac, up: true },
  };
}

/** The owner's id identifies it when its name is truncated. */
const ownerOf = (bridge: BridgeSettings, { owner: { kind, id, name } }: EndpointPlanInput): string =>
  ownerText(`${kind} ${name}`, ` (${shortId(id)}) on ${bridge.networkName}`);

/** Precedes the veth pair, so that the port is isolated, and its frames are checked, from its creation on. */
export function planHostElements(bridge: BridgeSettings, input: EndpointPlanInput): NftElementObject[] {
  const { endpoint, owner } = input;
  const comment = elementComment(owner);
  const link = `"${endpoint.hostLink}"`;
  return [
    ...(bridge.icc ? [] : [element('isolated_ports', link, { comment })]),
    ...(bridge.internal && bridge.v6 ? [element('relay_denied_ports', link, { comment })] : []),
    ...(bridge.checksSources
      ? [
          ...planSources(bridge, input, [endpoint]),
          ...planNeighbourSources(input),
          element('endpoint_macs', `${link} . ${endpoint.mac}`, { comment }),
          element('checked_ports', link, { comment }),
        ]
      : []),
  ];
}

/**
 * The endpoint's IPv6 addresses in neighbour discovery, and its link-local address, from which IPv6 sends the most of it.
 * Empty for an endpoint without IPv6.
 */
function planNeighbourSources({ endpoint, owner }: EndpointPlanInput): NftElementObject[] {
  const { hostLink, mac, addresses, config } = endpoint;
  if (addresses.v6 === undefined) return [];
  const comment = elementComment(owner);
  const linkLocal = linkLocalOfMac(mac);
  const key = `"${hostLink}" . ${mac}`;
  const number = (value: bigint): string => `0x${value.toString(16)}`;
  const requested = (config.linkLocalAddresses ?? []).filter((address) => address.includes(':'));
  const targets = [...new Set([linkLocal, addresses.v6.address, ...requested])].map((address) =>
    number(parseIp(address).value),
  );
  return [
    element('endpoint_addresses6', `${key} . ${linkLocal}`, { comment }),
    ...targets.map((target) => element('endpoint_targets', `${key} . ${target}`, { comment })),
    element('endpoint_lladdrs', `${key} . ${number(BigInt(`0x${mac.replaceAll(':', '')}`))}`, { comment }),
  ];
}

/** The addresses of `holders`, as source addresses of packets from this endpoint. */
export function planSources(
  bridge: BridgeSettings,
  { endpoint: { hostLink, mac }, owner }: EndpointPlanInput,
  holders: readonly EndpointState[],
): NftElementObject[] {
  if (!bridge.checksSources) return [];
  const comment = elementComment(owner);
  const addresses = new Set(holders.flatMap(addressesOf));
  return [...addresses].map((address) => {
    const set = address.includes(':') ? 'endpoint_addresses6' : 'endpoint_addresses';
    return element(set, `"${hostLink}" . ${mac} . ${address}`, { comment });
  });
}

const addressesOf = ({ addresses, config }: EndpointState): string[] => [
  ...valuesOf(addresses).map(({ address }) => address),
  ...(config.linkLocalAddresses ?? []),
];

/**
 * With address translation, ports are published through the endpoint that has the default route, since replies leave by
 * it. Routed ports are open at each endpoint.
 */
export function planPorts(
  bridge: BridgeSettings,
  input: EndpointPlanInput,
  ports: readonly PublishedPort[],
): NftElementObject[] {
  if (bridge.internal) return [];
  return [
    ...(input.hasIpv6Ports ? planRelayedPorts(ports, input.owner) : []),
    ...families.flatMap((family) => planFamilyPorts(bridge, input, ports, family)),
  ];
}

function planFamilyPorts(
  bridge: BridgeSettings,
  { endpoint, owner, isGateway }: EndpointPlanInput,
  ports: readonly PublishedPort[],
  family: Family,
): NftElementObject[] {
  const address = endpoint.addresses[family]?.address;
  const isRouted = bridge[family]?.gatewayMode === 'routed';
  if (address === undefined || !(isGateway[family] || isRouted)) return [];
  const isDirect = isRouted || bridge.trustedInterfaces.length > 0;
  const own = ports.filter(({ hostAddress }) => familyOfAddress(hostAddress) === family);
  return [
    ...(isRouted ? [] : planPublishedPorts(own.filter(isTranslated), address, owner)),
    ...(isDirect ? planDirectPorts(own, address, owner) : []),
  ];
}

/**
 * Not so for a port that was published while a routed network had the default route, and for one on ::1: IPv6 has no
 * route_localnet, so replies to ::1 would be dropped. It is relayed.
 */
const isTranslated = ({ hostPort, hostAddress }: PublishedPort): boolean => hostPort !== 0 && hostAddress !== '::1';

export function planEndpoint(bridge: BridgeSettings, input: EndpointPlanInput): KernelObject[] {
  return [
    ...planHostElements(bridge, input),
    planVeth(bridge, input),
    ...planInterfaceSettings(input, { mtu: bridge.mtu }),
    ...planAddresses(input),
    ...planDefaultRoutes(input),
    ...planNdpProxy(bridge, input),
  ];
}
