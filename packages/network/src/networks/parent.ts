/**
 * Checks the parent of a new network: an existing interface of the host, which other networks may use as well. Docker's
 * checks and messages (moby daemon/libnetwork/drivers/macvlan and ipvlan).
 */
import { NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkRecord } from '../contract.ts';
import type { ParentInterface } from '../drivers/driver.ts';
import { driverOf } from '../drivers/index.ts';
import type { NetworkTable } from '../network-table.ts';

export async function checkParentExists(
  kernel: Pick<Kernel, 'listLinks'>,
  parent: ParentInterface | undefined,
): Promise<void> {
  if (parent === undefined) return;
  const names = (await kernel.listLinks()).map(({ name }) => name);
  if (!names.includes(parent.link)) throw missing(parent.link, names);
}

/** Docker creates a missing `eth0.10` as a VLAN sub-interface. */
function missing(link: string, names: readonly string[]): NetyardError {
  const failed = (message: string): NetyardError =>
    new NetyardError('failed', message, { hint: 'run `ip link` for the interfaces of this host' });
  const [base = '', vlan = '', ...others] = link.split('.');
  if (!link.includes('.')) return failed(`invalid subinterface vlan name ${link}, example formatting is eth0.10`);
  if (others.length > 0)
    return failed(`required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${link}`);
  if (!/^[+-]?\d+$/.test(vlan))
    return failed(`unable to parse a valid vlan id from: ${vlan} (ex. eth0.10 for vlan 10)`);
  if (!names.includes(base)) return failed(`-o parent interface was not found on the host: ${base}`);
  const id = Number(vlan);
  if (id < 1 || id > 4094) return failed(`vlan id must be between 1-4094, received: ${id}`);
  return new NetyardError('not-implemented', `creating the VLAN sub-interface ${link} is not implemented yet`, {
    hint: `create it with \`ip link add link ${base} name ${link} type vlan id ${id} && ip link set ${link} up\``,
  });
}

/** Networks of other drivers may have the parent: their interfaces cannot exist at the same time, as in Docker. */
export function checkParentShared(networks: NetworkTable, record: NetworkRecord): void {
  const driver = driverOf(record);
  const ids = [...(networks.byParent(driver.parentOf(record)?.link ?? '') ?? [])];
  const others = ids.flatMap((id) => networks.get(id) ?? []).filter((other) => other.driver === record.driver);
  const conflict = driver.findParentConflict?.(record, others);
  if (conflict) throw conflict;
}

/** Docker notices a missing kernel module when a container starts. */
export async function checkLinkKinds(
  kernel: Pick<Kernel, 'supportsLinkKind'>,
  kinds: readonly string[] = [],
): Promise<void> {
  for (const kind of kinds) {
    if (await kernel.supportsLinkKind(kind)) continue;
    const hint = `run \`modprobe ${kind}\`, or use a kernel that has this module`;
    throw new NetyardError('failed', `the kernel does not support ${kind} interfaces`, { hint });
  }
}
