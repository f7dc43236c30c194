/** Forward work that can be taken back: each step pushes how to undo itself. */
import { messageOf, NetyardError } from './errors.ts';

type UndoStep = () => void | Promise<void>;

export class UndoStack {
  readonly #steps: UndoStep[] = [];

  push(step: UndoStep): void {
    this.#steps.push(step);
  }

  /** Forgets the steps: the work is done and stays. */
  commit(): void {
    this.#steps.length = 0;
  }

  /** Runs the steps backwards, goes on after a failure and returns all failures. */
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

/** Runs `work`; when it fails, undoes what it pushed and rethrows, with failures of the undoing in the hint. */
export async function withUndo<T>(work: (undo: UndoStack) => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  try {
    const result = await work(undo);
    undo.commit();
    return result;
  } catch (error) {
    const failures = await undo.rollback();
    if (failures.length === 0) throw error;
    const code = error instanceof NetyardError ? error.code : 'internal';
    const hint = `undoing it failed as well: ${failures.map(messageOf).join('; ')}`;
    throw new NetyardError(code, messageOf(error), { hint, cause: error });
  }
}
