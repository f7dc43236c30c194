/** Docker's predefined networks: bridge, host and none. Pure. */
import { newId } from '@netyard/core';
import type { IpamPool, NetworkRecord } from '../contract.ts';

const predefined: readonly { name: string; driver: string }[] = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
];

/** `default` is another name of the bridge. */
export const isPredefinedName = (name: string): boolean =>
  name === 'default' || predefined.some((network) => network.name === name);

/** The records of predefined networks that do not exist yet. The bridge gets its subnet at start. */
export function missingNetworks(
  existing: readonly NetworkRecord[],
  bridgePool: IpamPool,
  bridgeOptions: Record<string, string>,
  now: bigint,
): NetworkRecord[] {
  return predefined
    .filter(({ name }) => !existing.some((record) => record.name === name))
    .map(({ name, driver }) => ({
      id: newId(),
      name,
      driver,
      created: now,
      ipam: { driver: 'default', v4: driver === 'bridge' ? [bridgePool] : [] },
      internal: false,
      attachable: false,
      options: driver === 'bridge' ? bridgeOptions : {},
      labels: {},
      predefined: true,
    }));
}
