/** Errors of a registry, with Docker's messages and codes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError, NetyardError } from '@netyard/core';
import { parseReference } from './reference.ts';
import { translateRegistryError } from './registry-errors.ts';

const reference = parseReference('registry.example/team/app:1');

function translated(action: 'pull' | 'push', error: NetyardError): [string, string] {
  const answer = translateRegistryError(action, reference, error);
  assert.ok(isNetyardError(answer));
  return [answer.code, answer.message];
}

test('a registry that requires credentials is never `unauthorized`: docker commands would prompt for a user name', () => {
  const text = 'unauthorized: authentication required';
  for (const action of ['pull', 'push'] as const) {
    assert.deepEqual(translated(action, new NetyardError('unauthorized', text)), ['failed', text]);
    const basic = 'Get "https://registry.example/v2/": no basic auth credentials';
    assert.deepEqual(translated(action, new NetyardError('unauthorized', basic)), ['failed', basic]);
  }
  const denied = 'denied: requested access to the resource is denied';
  assert.deepEqual(translated('push', new NetyardError('forbidden', denied)), ['failed', denied]);
  for (const code of ['unauthorized', 'forbidden'] as const)
    assert.deepEqual(translated('pull', new NetyardError(code, denied)), [
      'not-found',
      `pull access denied for registry.example/team/app, repository does not exist or may require 'docker login': ${denied}`,
    ]);
});

test('a missing manifest is `not-found`; an unreachable or busy registry is an internal error', () => {
  assert.deepEqual(translated('pull', new NetyardError('not-found', 'manifest unknown: manifest unknown')), [
    'not-found',
    'manifest for registry.example/team/app:1 not found: manifest unknown: manifest unknown',
  ]);
  const lookup = 'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host';
  assert.deepEqual(translated('pull', new NetyardError('unavailable', lookup)), ['failed', lookup]);
  assert.deepEqual(translated('push', new NetyardError('unavailable', 'toomanyrequests: slow down')), [
    'failed',
    'toomanyrequests: slow down',
  ]);
});
