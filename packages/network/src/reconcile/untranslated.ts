/** Deletes conntrack entries that a missing table left without address translation. */
import type { Kernel } from '@netyard/kernel';
import type { Attachments } from '../attachments.ts';
import { familyOfAddress } from '../family.ts';
import { anyAddress } from '../ports/bindings.ts';

/** Dependencies of the functions in this file. */
export interface UntranslatedDependencies {
  readonly kernel: Kernel;
  readonly attachments: Attachments;
}

/**
 * Deletes UDP conntrack entries created without DNAT while a table was missing: they would deliver packets to the host
 * for as long as packets arrive. Only for addresses of this host: other hosts use the same port numbers.
 */
export async function flushUntranslatedConntrack(context: UntranslatedDependencies): Promise<void> {
  const ports = context.attachments.running().flatMap((attached) => attached.ports);
  const ofUdp = ports.filter(({ protocol, hostPort }) => protocol === 'udp' && hostPort !== 0);
  if (ofUdp.length === 0) return;
  const own = (await context.kernel.listAddresses()).map(({ prefix }) => prefix.replace(/\/.*$/, ''));
  const matches = ofUdp.flatMap(({ protocol, hostPort: port, hostAddress }) => {
    const family = familyOfAddress(hostAddress);
    const addresses =
      hostAddress === anyAddress[family] ? own.filter((one) => familyOfAddress(one) === family) : [hostAddress];
    return addresses.map((address) => ({ protocol, port, address }));
  });
  await context.kernel.flushConntrack(matches, { untranslated: true });
}
