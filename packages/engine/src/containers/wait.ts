/** `docker wait`, and what `docker run` waits for. */
import type { EngineContext } from '../context.ts';
import type { ContainerService } from '../contract.ts';
import { isAlive } from './container-index.ts';

export async function waitContainer(
  context: EngineContext,
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
