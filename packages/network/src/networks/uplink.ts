/** Checks the uplink of a new network's NDP proxy. */
import { NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkRecord } from '../contract.ts';
import { ndpProxyOption } from '../drivers/bridge/options.ts';

export async function checkUplink(
  kernel: Pick<Kernel, 'listLinks'>,
  { options }: Pick<NetworkRecord, 'options'>,
): Promise<void> {
  const name = options[ndpProxyOption];
  if (name === undefined || (await kernel.listLinks()).some((link) => link.name === name)) return;
  throw new NetyardError('failed', `interface ${name} of ${ndpProxyOption} was not found on the host`, {
    hint: 'run `ip link` for the interfaces of this host',
  });
}
