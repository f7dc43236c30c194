/**
 * Checks the parent of a new network: an interface of the host, or one that can be created. Docker's checks and messages (moby daemon/libnetwork/drivers/macvlan and ipvlan).
 */
import { NetyardError } from '@netyard/core';
import { type Kernel, moduleOfKind } from '@netyard/kernel';
import type { NetworkRecord } from '../contract.ts';
import type { ParentInterface } from '../drivers/driver.ts';
import { driverOf } from '../drivers/index.ts';
import { splitVlan } from '../drivers/parent.ts';
import type { NetworkTable } from '../network-table.ts';
import { vlanOwner } from '../object-names.ts';

/** Returns whether Netyard creates the parent, or has created it for another network: a VLAN sub-interface. */
export async function checkParent(
  kernel: Pick<Kernel, 'listLinks' | 'supportsLinkKind'>,
  parent: ParentInterface | undefined,
): Promise<Pick<NetworkRecord, 'createdParent'>> {
  if (parent === undefined || parent.created !== undefined) return {};
  const links = await kernel.listLinks();
  const existing = links.find(({ name }) => name === parent.link);
  const vlan = splitVlan(parent.link);
  if (existing) return vlan && existing.owner === vlanOwner(vlan.base, vlan.id) ? { createdParent: true } : {};
  const problem = findVlanProblem(
    parent.link,
    links.map(({ name }) => name),
  );
  if (problem) throw problem;
  await checkLinkKinds(kernel, ['vlan']);
  return { createdParent: true };
}

/** Why a missing interface cannot be created as a VLAN sub-interface. */
function findVlanProblem(link: string, names: readonly string[]): NetyardError | undefined {
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
  return undefined;
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
    const hint = `run \`modprobe ${moduleOfKind(kind)}\`, or use a kernel that has this module`;
    throw new NetyardError('failed', `the kernel does not support ${kind} interfaces`, { hint });
  }
}
