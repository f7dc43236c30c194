/** Docker's options of macvlan networks, parsed into typed settings for the plans. Pure. */
import type { MacvlanObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { mtuOption } from '../parent-options.ts';

export const modes: readonly MacvlanObject['mode'][] = ['bridge', 'private', 'vepa', 'passthru'];

export interface MacvlanSettings {
  /** Interface of the host; '' for a network without one. */
  parent: string;
  mode: MacvlanObject['mode'];
  /** Default: that of the parent. */
  mtu?: number;
}

export function macvlanSettings({ options }: Pick<NetworkRecord, 'options'>): MacvlanSettings {
  const { parent = '', macvlan_mode, [mtuOption]: mtu = '0' } = options;
  const mode = modes.find((one) => one === macvlan_mode) ?? 'bridge';
  return { parent, mode, ...(Number(mtu) === 0 ? {} : { mtu: Number(mtu) }) };
}
