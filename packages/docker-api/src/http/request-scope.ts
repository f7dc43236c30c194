/**
 * Records which request code runs for (AsyncLocalStorage), so that an uncaught exception of a timer, an event listener
 * or a stream fails that request instead of the daemon.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type ApiLimits, defaultLimits } from './limits.ts';

export interface RequestScope {
  method: string;
  url: string;
  limits: ApiLimits;
  /** Answers with an error, or ends the connection when a response has begun. */
  fail(error: unknown): void;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export const withRequestScope = (scope: RequestScope, work: () => void): void => scopes.run(scope, work);

/** Limits of the server that received the current request. */
export const currentLimits = (): ApiLimits => scopes.getStore()?.limits ?? defaultLimits;

/**
 * For `uncaughtException` and `unhandledRejection`: fails the request that the exception belongs to. False if it belongs
 * to none.
 */
export function failCurrentRequest(error: unknown): boolean {
  const scope = scopes.getStore();
  scope?.fail(error);
  return scope !== undefined;
}
