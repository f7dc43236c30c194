/** Rollback of multi-step operations: each completed step pushes a function that undoes it. */
import { errorCodeOf, messageOf, NetyardError } from './errors.ts';

type UndoStep = () => void | Promise<void>;

export class UndoStack {
  readonly #steps: UndoStep[] = [];

  push(step: UndoStep): void {
    this.#steps.push(step);
  }

  /** Discards the undo functions after success. */
  commit(): void {
    this.#steps.length = 0;
  }

  /** Runs the undo functions in reverse order, continues after failures and returns all of them. */
  async rollback(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}

/** Runs `work`; on failure rolls back and rethrows, with failures of the rollback in the hint. */
export async function withUndo<T>(work: (undo: UndoStack) => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  try {
    const result = await work(undo);
    undo.commit();
    return result;
  } catch (error) {
    const failures = await undo.rollback();
    if (failures.length === 0) throw error;
    const hint = `the rollback failed as well: ${failures.map(messageOf).join('; ')}`;
    throw new NetyardError(errorCodeOf(error), messageOf(error), { hint, cause: error });
  }
}
