/**
 * Plans the set elements of a bridge network: isolation (icc, internal, gateway mode), peers, masquerading, the host's
 * address on the bridge. Pure.
 */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { Family } from '../family.ts';
import type { BridgeSettings, FamilySettings } from '../model.ts';
import { masqueradedKey } from './masqueraded.ts';
import { type ElementOptions, element, type NetyardSet, tableFamilies } from './table.ts';

export const planNetworkElements = (bridge: BridgeSettings): NftElementObject[] => [
  ...planFamilyElements(bridge, 'v4'),
  ...(bridge.v6 ? planFamilyElements(bridge, 'v6') : []),
];

/** In `ip netyard` also for a network without IPv4, so that nothing but IPv6 enters or leaves its bridge. */
function planFamilyElements(bridge: BridgeSettings, version: Family): NftElementObject[] {
  const options = { comment: commentOf(bridge), family: tableFamilies[version] };
  const link = `"${bridge.link}"`;
  const pair = `${link} . ${link}`;
  const when = (condition: boolean, set: NetyardSet, key: string): NftElementObject[] =>
    condition ? [element(set, key, options)] : [];
  const { internal, [version]: settings } = bridge;
  return [
    element('bridges', link, options),
    // Precedes the elements that open the network.
    ...when(internal, 'internal_bridges', link),
    ...when(bridge.icc, 'icc_bridges', pair),
    ...when(!bridge.icc, 'no_icc_bridges', pair),
    ...when(bridge.acceptsPeers, 'peer_bridges', link),
    ...(settings?.wholeSubnet === undefined ? [] : planClusterElements(link, settings.wholeSubnet, options)),
    ...when(settings?.gatewayMode === 'nat-unprotected' && !internal, 'unprotected_bridges', link),
    ...when(settings?.gatewayMode === 'routed' && !internal, 'routed_bridges', link),
    ...bridge.trustedInterfaces.flatMap((name) => when(!internal, 'trusted_ingress', `"${name}" . ${link}`)),
    ...(settings?.address === undefined ? [] : [element('gateways', addressOf(settings.address), options)]),
    ...(settings?.masquerade ? [planSourceNat(settings, options)] : []),
  ];
}

function planSourceNat({ subnet, sourceAddress }: FamilySettings, options: ElementOptions): NftElementObject {
  if (sourceAddress !== undefined) return element('source_addresses', subnet, { ...options, value: sourceAddress });
  return element(...masqueradedKey(subnet), options);
}

/** nftables limits comments to 127 bytes without quotes: other names are replaced by the network's id. */
function commentOf({ networkName, networkId }: BridgeSettings): string {
  const isPlain = /^[\w.-]{1,100}$/.test(networkName);
  return `network ${isPlain ? networkName : shortId(networkId)}`;
}

const addressOf = (prefix: string): string => prefix.replace(/\/.*$/, '');

/** Of a network of the cluster: its containers on other hosts reach this bridge, and no other one. */
const planClusterElements = (link: string, subnet: string, options: ElementOptions): NftElementObject[] => [
  element('cluster_subnets', subnet, options),
  element('cluster_bridges', `${link} . ${subnet}`, options),
];
