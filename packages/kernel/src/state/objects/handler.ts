/** Interface of the handlers: one file beside this one for each kind of object. */
import type { KernelObject, Observation } from '../../desired.ts';
import type { Session } from '../../netlink/session.ts';
import { hasErrno } from '../../system/ffi/errno.ts';

/** Reverts an operation. */
export type Undo = () => void | Promise<void>;

export interface ObjectHandler<O extends KernelObject> {
  /** Rejects impossible objects before anything is changed. Throws `invalid`. Pure. */
  check(object: O): void;
  observe(session: Session, object: O): Observation;
  /** @param isLast nothing follows that could fail: the result is not called, and need not be prepared */
  create(session: Session, object: O, isLast?: boolean): Undo;
  /**
   * Ends a creation, after the operations on objects that `precedes` names and that follow it in the plan. The undo of
   * `create` reverts it.
   */
  complete?: { precedes(object: O, next: KernelObject): boolean; perform(session: Session, object: O): void };
  /** From the observed to the desired state. */
  change(session: Session, object: O): Undo;
  /** Ignores an object that does not exist. Returns whether an object of ours was deleted. */
  delete(session: Session, object: O): boolean | Promise<boolean>;
}

export const present: Observation = { state: 'present' };
export const absent: Observation = { state: 'absent' };

/** `present` when there is no difference; each difference is a description of the observed value. */
export function observed(differences: readonly (string | false | undefined)[]): Observation {
  const found = differences.filter((difference) => typeof difference === 'string');
  return found.length === 0 ? present : { state: 'different', found: found.join(', ') };
}

/** Runs a deletion; false when the object or a dependency of it no longer exists. */
export function unlessGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** ENOENT: no namespace, file or element; ENODEV: no link; ESRCH: no route; EADDRNOTAVAIL: no address. */
export const isGone = (error: unknown): boolean =>
  hasErrno(error, 'ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO');
