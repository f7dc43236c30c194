/** The same verb on several objects: each success prints its name, each failure its error, at the end exit code 1. */
import type { Context } from '../program/context.ts';
import { throwAll } from '../program/failure.ts';

/** One after the other: the order of the answers is the order of the arguments. */
export async function forEach(
  context: Context,
  refs: readonly string[],
  work: (ref: string) => Promise<unknown>,
): Promise<number> {
  const errors: unknown[] = [];
  for (const ref of refs) {
    try {
      await work(ref);
      context.print(ref);
    } catch (error) {
      errors.push(error);
    }
  }
  throwAll(errors);
  return 0;
}
