/**
 * Plans the set elements of a bridge network: isolation (icc, internal, gateway mode), peers, masquerading, the host's
 * address on the bridge. Pure.
 */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { BridgeSettings, FamilySettings } from '../model.ts';
import { masqueradedKey } from './masqueraded.ts';
import { element, type NetyardSet } from './table.ts';

export function planNetworkElements(bridge: BridgeSettings): NftElementObject[] {
  const comment = commentOf(bridge);
  const link = `"${bridge.link}"`;
  const pair = `${link} . ${link}`;
  const when = (condition: boolean, set: NetyardSet, key: string): NftElementObject[] =>
    condition ? [element(set, key, { comment })] : [];
  const { internal, v4 } = bridge;
  return [
    element('bridges', link, { comment }),
    // Precedes the elements that open the network.
    ...when(internal, 'internal_bridges', link),
    ...when(bridge.icc, 'icc_bridges', pair),
    ...when(!bridge.icc, 'no_icc_bridges', pair),
    ...when(bridge.acceptsPeers, 'peer_bridges', link),
    ...(bridge.wholeSubnet === undefined ? [] : planClusterElements(link, bridge.wholeSubnet, comment)),
    ...when(v4?.gatewayMode === 'nat-unprotected' && !internal, 'unprotected_bridges', link),
    ...when(v4?.gatewayMode === 'routed' && !internal, 'routed_bridges', link),
    ...bridge.trustedInterfaces.flatMap((name) => when(!internal, 'trusted_ingress', `"${name}" . ${link}`)),
    ...(v4?.address === undefined ? [] : [element('gateways', addressOf(v4.address), { comment })]),
    ...(v4?.masquerade ? [planSourceNat(v4, comment)] : []),
  ];
}

function planSourceNat({ subnet, sourceAddress }: FamilySettings, comment: string): NftElementObject {
  if (sourceAddress !== undefined) return element('source_addresses', subnet, { value: sourceAddress, comment });
  return element(...masqueradedKey(subnet), { comment });
}

/** nftables limits comments to 127 bytes without quotes: other names are replaced by the network's id. */
function commentOf({ networkName, networkId }: BridgeSettings): string {
  const isPlain = /^[\w.-]{1,100}$/.test(networkName);
  return `network ${isPlain ? networkName : shortId(networkId)}`;
}

const addressOf = (prefix: string): string => prefix.replace(/\/.*$/, '');

/** Of a network of the cluster: its containers on other hosts reach this bridge, and no other one. */
const planClusterElements = (link: string, subnet: string, comment: string): NftElementObject[] => [
  element('cluster_subnets', subnet, { comment }),
  element('cluster_bridges', `${link} . ${subnet}`, { comment }),
];
