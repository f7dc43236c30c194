/** What a bridge network puts into the sets: isolation (icc), masquerade, its gateway address. Pure. */
import type { NftElementObject } from '@netyard/kernel';
import type { BridgeSettings } from '../model.ts';
import { element } from './table.ts';

export function planNetworkElements(bridge: BridgeSettings): NftElementObject[] {
  const options = { comment: `network ${bridge.networkName}` };
  const pair = `"${bridge.link}" . "${bridge.link}"`;
  return [
    element('bridges', `"${bridge.link}"`, options),
    ...(bridge.icc ? [element('open_bridges', pair, options)] : []),
    element('gateways', bridge.gateway, options),
    ...(bridge.masquerade ? [element('masqueraded', bridge.subnet, options)] : []),
  ];
}
