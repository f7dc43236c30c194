/** Plans the set elements of a bridge network: isolation (icc), masquerading, its gateway address. Pure. */
import type { NftElementObject } from '@netyard/kernel';
import type { BridgeSettings } from '../model.ts';
import { element } from './table.ts';

export function planNetworkElements(bridge: BridgeSettings): NftElementObject[] {
  const options = { comment: `network ${bridge.networkName}` };
  const pair = `"${bridge.link}" . "${bridge.link}"`;
  return [
    element('bridges', `"${bridge.link}"`, options),
    ...(bridge.icc ? [element('icc_bridges', pair, options)] : []),
    element('gateways', bridge.gateway, options),
    ...(bridge.masquerade ? [element('masqueraded', bridge.subnet, options)] : []),
  ];
}
