/**
 * The inside of a container's namespace: whether a repair restores it, and what of a container's plan is inside. Pure.
 */

import type { KernelObject, VethObject } from '@netyard/kernel';
import type { RepairPolicy } from '../contract.ts';
import { sysctlLink } from '../object-names.ts';

export interface RepairFacts {
  policy: RepairPolicy;
  /** Label `netyard.repair`. */
  label: boolean | undefined;
  /** A container in the namespace has CAP_NET_ADMIN, so what is changed there may be meant. */
  mayChange: boolean;
}

export const repairsInside = ({ policy, label, mayChange }: RepairFacts): boolean =>
  label ?? (policy === 'always' || (policy === 'auto' && !mayChange));

/** What a new namespace's `lo` has as soon as it is up (LOOPBACK_MTU of drivers/net/loopback.c). */
const loopback = { mtu: 65536, prefix: '127.0.0.1/8' };

/** Whether an object is in the namespace, or a pair with one end there. */
export const isInside = (object: KernelObject, ns: string): boolean =>
  ('ns' in object && object.ns === ns) || (object.kind === 'veth' && object.peer.ns === ns);

/**
 * The plan of a container whose inside is restored: with what the kernel gave `lo`, and with `--sysctl` settings as they
 * read after the container's start, for the kernel may print a value in another way than it was written.
 */
export function restoreInside(
  objects: readonly KernelObject[],
  ns: string,
  settings: ReadonlyMap<string, string>,
): KernelObject[] {
  return objects.flatMap((object): KernelObject[] => {
    if (!isInside(object, ns)) return [object];
    if (object.kind === 'link-state' && object.name === 'lo')
      return [
        { ...object, mtu: loopback.mtu },
        { kind: 'address', ns, link: 'lo', prefix: loopback.prefix },
      ];
    if (object.kind === 'sysctl') return [{ ...object, value: settings.get(object.key) ?? object.value }];
    return [object];
  });
}

/**
 * The plan of a container whose inside is left alone: what is outside, and of the inside only what comes with a pair that
 * has to be made again.
 * @param missing host ends of pairs that are gone
 */
export function leaveInside(
  objects: readonly KernelObject[],
  ns: string,
  missing: ReadonlySet<string>,
): KernelObject[] {
  const isMade = (object: KernelObject): boolean => object.kind === 'veth' && missing.has(object.name);
  const made = new Set(objects.filter(isMade).map((object) => (object as VethObject).peer.name));
  const settings = [...made].map((link) => `net.ipv6.conf.${sysctlLink(link)}.`);
  return objects.flatMap((object): KernelObject[] => {
    if (!isInside(object, ns)) return [object];
    if (object.kind === 'veth')
      return [missing.has(object.name) ? object : { ...object, peer: { ...object.peer, keep: true } }];
    if (object.kind === 'address' || object.kind === 'route') return made.has(object.link ?? '') ? [object] : [];
    if (object.kind === 'sysctl') return settings.some((start) => object.key.startsWith(start)) ? [object] : [];
    return [];
  });
}
