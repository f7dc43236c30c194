/** The same verb on several objects, one after the other: the order of the answers is the order of the arguments. */

import { throwAll } from '../failure.ts';
import type { Context } from '../program/context.ts';

/** Each success prints its name, each failure its error, at the end exit code 1. */
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

/** The same for work that prints by itself. */
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
