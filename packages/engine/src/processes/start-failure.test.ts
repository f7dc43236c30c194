import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import { runtimeFailure } from './start-failure.ts';

const of = (message: string): [string, number] => {
  const { answer, exitCode } = runtimeFailure(new NetyardError('invalid', message), 'container');
  return [answer.message, exitCode];
};

test('an error of the runtime gets docker’s prefixes, an error found before it does not', () => {
  const [text, exitCode] = of('exec: "nosuch": executable file not found in $PATH');
  assert.equal(exitCode, 127);
  assert.match(text, /^failed to create task for container: .*: exec: "nosuch": executable file not found in \$PATH: /);
  for (const refused of [
    'invalid CapAdd: unknown capability: "CAP_BOGUS"',
    'unknown or invalid runtime name: bogus',
    'unable to find user nobodyx: no matching entries in passwd file',
  ])
    assert.deepEqual(of(refused), [refused, 128]);
});
