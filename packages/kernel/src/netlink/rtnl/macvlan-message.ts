/** Encodes and decodes the macvlan attributes of link messages (IFLA_MACVLAN_* of linux/if_link.h). Pure. */
import { type Attribute, type Attributes, u32 } from '../attribute.ts';

const IFLA_MACVLAN_MODE = 1;

/** MACVLAN_MODE_* of linux/if_link.h. */
const modes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;

export type MacvlanMode = keyof typeof modes;

export interface MacvlanSettings {
  /** Index of the interface that it is attached to, in the namespace of the socket. */
  parentIndex: number;
  mode: MacvlanMode;
}

/** IFLA_INFO_DATA. */
export const encodeMacvlan = (mode: MacvlanMode): Attribute[] => [u32(IFLA_MACVLAN_MODE, modes[mode])];

/** Undefined for a mode that Netyard does not use, such as `source`. */
export function decodeMacvlanMode(data: Attributes): MacvlanMode | undefined {
  const value = data.u32(IFLA_MACVLAN_MODE);
  return (Object.keys(modes) as MacvlanMode[]).find((mode) => modes[mode] === value);
}
