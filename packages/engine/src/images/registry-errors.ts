/** Maps errors of a registry to Docker's messages. Pure except for the work it runs. */
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import { familiarName, familiarString, type ImageReference } from './reference.ts';

export async function withRegistryErrors<T>(
  action: 'pull' | 'push',
  reference: ImageReference,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateRegistryError(action, reference, error);
  }
}

export function translateRegistryError(action: 'pull' | 'push', reference: ImageReference, error: unknown): unknown {
  const text = messageOf(error);
  const name = familiarName(reference);
  if (action === 'pull' && isNetyardError(error, 'not-found') && text.startsWith('manifest unknown')) {
    return new NetyardError('not-found', `manifest for ${familiarString(reference)} not found: ${text}`, {
      cause: error,
    });
  }
  if (action === 'pull' && isNetyardError(error, 'not-found') && text.startsWith('name unknown')) {
    return new NetyardError('not-found', `repository ${name} not found: ${text}`, { cause: error });
  }
  const denied = isNetyardError(error, 'unauthorized') || isNetyardError(error, 'forbidden');
  if (action === 'pull' && denied && text.startsWith('denied')) {
    return new NetyardError(
      'not-found',
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${text}`,
      { cause: error },
    );
  }
  if (denied) {
    const hint = `run \`docker login ${reference.domain}\``;
    // Not `unauthorized`: a 401 makes docker commands up to 28.2 prompt for a user name, even without a terminal.
    return new NetyardError('failed', text, { cause: error, hint });
  }
  // The registry is unavailable, not this daemon: Docker answers 500, and clients retry a 503.
  if (isNetyardError(error, 'unavailable')) return new NetyardError('failed', text, { cause: error });
  return error;
}
