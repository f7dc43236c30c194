/** From what is wanted and what was found to what is to be done. Pure. */
import type { KernelObject, KernelOperation, Observation } from '../desired.ts';

/** Creates what is absent and changes what is different, in the plan's order. */
export function diff(objects: readonly KernelObject[], found: readonly Observation[]): KernelOperation[] {
  return objects.flatMap((object, index): KernelOperation[] => {
    const state = found[index]?.state;
    if (state === undefined) throw new RangeError('every object needs its observation');
    if (state === 'present') return [];
    return [{ action: state === 'absent' ? 'create' : 'change', object }];
  });
}

/**
 * Takes away what is there, last first. What `remove` must not touch stays: states of links that others made, and
 * sysctls marked `keep`. An object that is there in another shape is taken away too, by its name.
 */
export function diffRemoval(objects: readonly KernelObject[], found: readonly Observation[]): KernelOperation[] {
  return objects
    .map((object, index) => ({ object, state: found[index]?.state }))
    .filter(({ object, state }) => state !== 'absent' && isRemovable(object))
    .map(({ object }): KernelOperation => ({ action: 'delete', object }))
    .reverse();
}

/** Sysctls are never unset: their former value is not known. Link states belong to links that are not ours. */
const isRemovable = (object: KernelObject): boolean => object.kind !== 'link-state' && object.kind !== 'sysctl';
