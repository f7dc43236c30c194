/** What the kernel box has to know of a kind of object: one file beside this one for each kind says it. */
import type { KernelObject, Observation } from '../../desired.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';

/** Takes back what a step did. */
export type Undo = () => void | Promise<void>;

export interface ObjectHandler<O extends KernelObject> {
  /** Refuses what could never be made, before anything is touched. Throws `invalid`. Pure. */
  check(object: O): void;
  observe(session: Session, object: O): Observation;
  create(session: Session, object: O): Undo;
  /** From the shape that was observed to the wanted one. */
  change(session: Session, object: O): Undo;
  /** What is gone already is fine. Answers whether there was anything to delete that is ours. */
  delete(session: Session, object: O): boolean | Promise<boolean>;
}

export const present: Observation = { state: 'present' };
export const absent: Observation = { state: 'absent' };

/** `present` when no difference is listed; each difference in words. */
export function observed(differences: readonly (string | false | undefined)[]): Observation {
  const found = differences.filter((difference) => typeof difference === 'string');
  return found.length === 0 ? present : { state: 'different', found: found.join(', ') };
}

/** Runs a deletion; false when the object, or what it stood on, is gone already. */
export function unlessGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** ENOENT no namespace, file or element; ENODEV no link; ESRCH no route; EADDRNOTAVAIL no address. */
export const isGone = (error: unknown): boolean =>
  hasErrno(error, 'ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO');
