/**
 * Repair of a container's namespace: whether it is repaired, and which objects of the plan are in the namespace. Pure.
 */

import { identityOf, type KernelObject } from '@netyard/kernel';
import type { RepairPolicy } from '../contract.ts';
import { sysctlLink } from '../object-names.ts';

export interface RepairFacts {
  policy: RepairPolicy;
  /** Label `netyard.repair`. */
  label: boolean | undefined;
  /** A container in the namespace has CAP_NET_ADMIN, so changes there may be intentional. */
  mayChange: boolean;
}

export const shouldRepairNamespace = ({ policy, label, mayChange }: RepairFacts): boolean =>
  label ?? (policy === 'always' || (policy === 'auto' && !mayChange));

/** What the kernel gives `lo` of a new namespace when it is set up (LOOPBACK_MTU of drivers/net/loopback.c). */
const loopback = { mtu: 65536, v4: '127.0.0.1/8', v6: '::1/128' };

/** Whether an object is in the namespace, or is a veth pair with one end there. */
export const isInNamespace = (object: KernelObject, ns: string): boolean =>
  ('ns' in object && object.ns === ns) || (object.kind === 'veth' && object.peer.ns === ns);

/**
 * The plan for a container whose namespace is repaired: completed by the kernel's defaults for `lo`, and with `--sysctl`
 * settings as read after the container's start, since the kernel may format a value differently than it was written.
 */
export function planNamespaceRepair(
  objects: readonly KernelObject[],
  ns: string,
  settings: ReadonlyMap<string, string>,
): KernelObject[] {
  const hasIpv6 = objects.some((one) => one.kind === 'address' && one.ns === ns && one.prefix.includes(':'));
  const prefixes = hasIpv6 ? [loopback.v4, loopback.v6] : [loopback.v4];
  return objects.flatMap((object): KernelObject[] => {
    if (!isInNamespace(object, ns)) return [object];
    if (object.kind === 'link-state' && object.name === 'lo')
      return [
        { ...object, mtu: loopback.mtu },
        ...prefixes.map((prefix) => ({ kind: 'address', ns, link: 'lo', prefix }) as const),
      ];
    if (object.kind === 'sysctl') return [{ ...object, value: settings.get(object.key) ?? object.value }];
    return [object];
  });
}

/**
 * The plan for a container whose namespace is not repaired: the objects on the host, and in the namespace only those of an
 * interface that is created again.
 * @param missing interfaces of the plan that do not exist
 */
export function planHostSideRepair(
  objects: readonly KernelObject[],
  ns: string,
  missing: readonly KernelObject[],
): KernelObject[] {
  const created = new Set(missing.map(identityOf));
  const links = new Set(missing.flatMap(linkOf));
  const settings = [...links].map((link) => `net.ipv6.conf.${sysctlLink(link)}.`);
  return objects.flatMap((object): KernelObject[] => {
    if (!isInNamespace(object, ns) || created.has(identityOf(object))) return [object];
    if (object.kind === 'veth') return [{ ...object, peer: { ...object.peer, keep: true } }];
    if (object.kind === 'address' || object.kind === 'route') return links.has(object.link ?? '') ? [object] : [];
    if (object.kind === 'sysctl') return settings.some((start) => object.key.startsWith(start)) ? [object] : [];
    return [];
  });
}

/** Name of an interface inside the namespace. */
const linkOf = (object: KernelObject): string[] =>
  object.kind === 'veth' ? [object.peer.name] : 'name' in object ? [object.name] : [];
