/** The difference between desired and observed state, as operations. Pure. */
import type { KernelObject, KernelOperation, Observation } from '../desired.ts';

/** Creates what is absent and changes what is different, in the plan's order. */
export function diff(objects: readonly KernelObject[], found: readonly Observation[]): KernelOperation[] {
  return objects.flatMap((object, index): KernelOperation[] => {
    const observation = found[index];
    if (observation === undefined) throw new RangeError('no observation of an object');
    if (observation.state === 'present') return [];
    if (observation.state === 'absent') return [{ action: 'create', object }];
    return [{ action: 'change', object, found: observation.found }];
  });
}

/**
 * Deletes existing objects in reverse order. An object that differs from the desired one is deleted too, by its name.
 * Settings of links that other programs created, and sysctls, are never deleted.
 */
export function diffRemoval(objects: readonly KernelObject[], found: readonly Observation[]): KernelOperation[] {
  return objects
    .map((object, index) => ({ object, state: found[index]?.state }))
    .filter(({ object, state }) => state !== 'absent' && isRemovable(object))
    .map(({ object }): KernelOperation => ({ action: 'delete', object }))
    .reverse();
}

/** The former value of a sysctl is unknown. Link states, and bridges to be kept, belong to links of other programs. */
const isRemovable = (object: KernelObject): boolean =>
  object.kind !== 'link-state' && object.kind !== 'sysctl' && !(object.kind === 'bridge' && object.keep === true);
