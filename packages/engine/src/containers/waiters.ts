/** Clients that wait for a container's exit or removal. Knows containers by id only. */

export interface ExitResult {
  exitCode: number;
  error?: string;
}

type Listener = (result: ExitResult) => void;

export class Waiters {
  readonly #exits = new Map<string, Set<Listener>>();
  readonly #removals = new Map<string, Set<Listener>>();

  /** Resolves at the next exit, whether or not a restart follows, or at removal. */
  exit(id: string, signal?: AbortSignal): Promise<ExitResult> {
    return wait(this.#exits, id, signal);
  }

  removal(id: string, signal?: AbortSignal): Promise<ExitResult> {
    return wait(this.#removals, id, signal);
  }

  exited(id: string, result: ExitResult): void {
    notify(this.#exits, id, result);
  }

  /** A container that never ran is removed without an exit: wakes waiters of both kinds. */
  removed(id: string, result: ExitResult): void {
    notify(this.#exits, id, result);
    notify(this.#removals, id, result);
  }
}

function wait(map: Map<string, Set<Listener>>, id: string, signal: AbortSignal | undefined): Promise<ExitResult> {
  return new Promise((resolve, reject) => {
    const listeners = map.get(id) ?? new Set<Listener>();
    map.set(id, listeners);
    const leave = (): void => {
      listeners.delete(listener);
      if (listeners.size === 0 && map.get(id) === listeners) map.delete(id);
      signal?.removeEventListener('abort', abort);
    };
    const listener: Listener = (result) => {
      leave();
      resolve(result);
    };
    const abort = (): void => {
      leave();
      reject(signal?.reason);
    };
    listeners.add(listener);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
  });
}

function notify(map: Map<string, Set<Listener>>, id: string, result: ExitResult): void {
  const listeners = map.get(id);
  map.delete(id);
  for (const listener of [...(listeners ?? [])]) listener(result);
}

/** Resolves to undefined after `milliseconds`; negative: never. */
export async function withTimeLimit<T>(work: Promise<T>, milliseconds: number): Promise<T | undefined> {
  if (milliseconds < 0) return work;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
