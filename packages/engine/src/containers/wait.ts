/** `docker wait`, and the wait of `docker run`. */
import type { ContainerService } from '../contract.ts';
import { type ContainerIndex, isAlive } from '../records/container-index.ts';
import type { Waiters } from './waiters.ts';

/** What the functions of this file work on. */
export interface WaitDependencies {
  readonly index: ContainerIndex;
  readonly waiters: Waiters;
}

export async function waitContainer(
  context: WaitDependencies,
  ...[ref, condition, signal]: Parameters<ContainerService['wait']>
): ReturnType<ContainerService['wait']> {
  const record = context.index.get(ref);
  if (condition === 'removed') return { done: context.waiters.removal(record.id, signal) };
  if (condition === 'not-running' && !isAlive(record)) {
    const { exitCode, error } = record.state;
    return { done: Promise.resolve({ exitCode, ...(error === '' ? {} : { error }) }) };
  }
  return { done: context.waiters.exit(record.id, signal) };
}
