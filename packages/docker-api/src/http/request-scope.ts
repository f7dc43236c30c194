/**
 * Which request a piece of code runs for. An exception that no handler caught (thrown in a timer, an event listener, a
 * stream without an owner) still carries it, and then ends that request instead of the daemon.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type ApiLimits, defaultLimits } from './limits.ts';

export interface RequestScope {
  method: string;
  url: string;
  limits: ApiLimits;
  /** Answers with an error, or ends the connection when an answer has begun. */
  fail(error: unknown): void;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export const withRequestScope = (scope: RequestScope, work: () => void): void => scopes.run(scope, work);

/** Of the server that the current request came to. */
export const currentLimits = (): ApiLimits => scopes.getStore()?.limits ?? defaultLimits;

/**
 * For `uncaughtException` and `unhandledRejection`: fails the request that the exception belongs to. False when it
 * belongs to none.
 */
export function failCurrentRequest(error: unknown): boolean {
  const scope = scopes.getStore();
  scope?.fail(error);
  return scope !== undefined;
}
