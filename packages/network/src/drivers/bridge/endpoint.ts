/** The plan of one endpoint: a veth pair from the network's bridge into the sandbox, its address, its route. Pure. */
import { shortId } from '@netyard/core';
import type { KernelObject, NftElementObject, VethObject } from '@netyard/kernel';
import { elementComment } from '../../firewall/publish.ts';
import { element } from '../../firewall/table.ts';
import type { BridgeSettings } from '../../model.ts';
import { ownerText, sysctlLink } from '../../object-names.ts';
import type { EndpointPlanInput } from '../driver.ts';

export function planVeth(bridge: BridgeSettings, input: EndpointPlanInput): VethObject {
  const { endpoint } = input;
  return {
    kind: 'veth',
    name: endpoint.hostLink,
    mtu: bridge.mtu,
    owner: ownerOf(bridge, input),
    master: bridge.link,
    hairpin: input.facts.bridgeNetfilter,
    up: true,
    peer: { ns: input.netnsPath, name: endpoint.link, mac: endpoint.mac, up: true },
  };
}

/** The owner's id identifies it when its name is truncated. */
const ownerOf = (bridge: BridgeSettings, { owner: { kind, id, name } }: EndpointPlanInput): string =>
  ownerText(`${kind} ${name}`, ` (${shortId(id)}) on ${bridge.networkName}`);

/** Precedes the veth pair, so that the port is isolated from its creation on. */
export function planIsolation(bridge: BridgeSettings, { endpoint, owner }: EndpointPlanInput): NftElementObject[] {
  const comment = elementComment(owner);
  return bridge.icc ? [] : [element('isolated_ports', `"${endpoint.hostLink}"`, { comment })];
}

/** Empty without a gateway. */
export function planDefaultRoute({ netnsPath: ns, endpoint }: EndpointPlanInput): KernelObject[] {
  const via = endpoint.addresses.v4?.gateway;
  return via === undefined ? [] : [{ kind: 'route', ns, to: 'default', family: 4, via, link: endpoint.link }];
}

export function planEndpoint(bridge: BridgeSettings, input: EndpointPlanInput): KernelObject[] {
  const { endpoint, netnsPath: ns, facts } = input;
  const noIpv6 = `net.ipv6.conf.${sysctlLink(endpoint.link)}.disable_ipv6`;
  return [
    ...planIsolation(bridge, input),
    planVeth(bridge, input),
    ...(facts.ipv6 && !bridge.ipv6 ? [{ kind: 'sysctl', ns, key: noIpv6, value: '1' } as const] : []),
    ...planAddresses(bridge, input),
    ...(input.isGateway ? planDefaultRoute(input) : []),
  ];
}

function planAddresses(bridge: BridgeSettings, { endpoint, netnsPath: ns }: EndpointPlanInput): KernelObject[] {
  const { link, addresses, config } = endpoint;
  const own = addresses.v4
    ? [{ prefix: `${addresses.v4.address}/${addresses.v4.prefixLength}`, broadcast: bridge.broadcast }]
    : [];
  const linkLocal = (config.linkLocalAddresses ?? []).map((address) => ({
    prefix: `${address}/16`,
    broadcast: '169.254.255.255',
  }));
  return [...own, ...linkLocal].map((one) => ({ kind: 'address', ns, link, ...one }));
}
