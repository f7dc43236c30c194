/** Encodes and decodes the ipvlan attributes of link messages (IFLA_IPVLAN_* of linux/if_link.h). Pure. */
import { type Attribute, type Attributes, u16 } from '../attribute.ts';

const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;

/** IPVLAN_MODE_* of linux/if_link.h. */
const modes = { l2: 0, l3: 1, l3s: 2 } as const;
/** IPVLAN_F_* of linux/if_link.h; `bridge` is the absence of both. */
const flags = { bridge: 0, private: 1, vepa: 2 } as const;

export type IpvlanMode = keyof typeof modes;
export type IpvlanFlag = keyof typeof flags;

/** The kernel has one mode and one flag per parent: the last setting applies to all its links. */
export interface IpvlanSettings {
  mode: IpvlanMode;
  flag: IpvlanFlag;
}

/** IFLA_INFO_DATA. */
export const encodeIpvlan = ({ mode, flag }: IpvlanSettings): Attribute[] => [
  u16(IFLA_IPVLAN_MODE, modes[mode]),
  u16(IFLA_IPVLAN_FLAGS, flags[flag]),
];

/** Undefined for values that Netyard does not use. */
export function decodeIpvlan(data: Attributes): IpvlanSettings | undefined {
  const mode = keyOf(modes, data.u16(IFLA_IPVLAN_MODE));
  const flag = keyOf(flags, data.u16(IFLA_IPVLAN_FLAGS) ?? flags.bridge);
  return mode === undefined || flag === undefined ? undefined : { mode, flag };
}

const keyOf = <K extends string>(table: Readonly<Record<K, number>>, value: number | undefined): K | undefined =>
  (Object.keys(table) as K[]).find((key) => table[key] === value);
