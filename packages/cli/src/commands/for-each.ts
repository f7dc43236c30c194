/** Applies an operation to several objects, one after the other, in the order of the arguments. */

import { throwAll } from '../failure.ts';
import type { Context } from '../program/context.ts';

/** Prints the name for each success and the error for each failure; the exit code is 1 after failures. */
export function forEach(
  context: Context,
  refs: readonly string[],
  work: (ref: string) => Promise<unknown>,
): Promise<number> {
  return attemptEach(refs, async (ref) => {
    await work(ref);
    context.print(ref);
  });
}

/** The same for operations that print their own output. */
export async function attemptEach(refs: readonly string[], work: (ref: string) => Promise<void>): Promise<number> {
  const errors: unknown[] = [];
  for (const ref of refs) {
    try {
      await work(ref);
    } catch (error) {
      errors.push(error);
    }
  }
  throwAll(errors);
  return 0;
}
