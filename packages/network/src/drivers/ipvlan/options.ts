/** Docker's options of ipvlan networks, parsed into typed settings for the plans. Pure. */
import type { IpvlanObject } from '@netyard/kernel';
import type { NetworkRecord } from '../../contract.ts';
import { mtuOption } from '../parent-options.ts';

export const modes: readonly IpvlanObject['mode'][] = ['l2', 'l3', 'l3s'];
export const flags: readonly IpvlanObject['flag'][] = ['bridge', 'private', 'vepa'];

export interface IpvlanSettings {
  /** Interface of the host; '' for a network without one. */
  parent: string;
  mode: IpvlanObject['mode'];
  flag: IpvlanObject['flag'];
  /** Default: that of the parent. */
  mtu?: number;
}

export function ipvlanSettings({ options }: Pick<NetworkRecord, 'options'>): IpvlanSettings {
  const { parent = '', ipvlan_mode, ipvlan_flag, [mtuOption]: mtu = '0' } = options;
  const mode = modes.find((one) => one === ipvlan_mode) ?? 'l2';
  const flag = flags.find((one) => one === ipvlan_flag) ?? 'bridge';
  return { parent, mode, flag, ...(Number(mtu) === 0 ? {} : { mtu: Number(mtu) }) };
}
