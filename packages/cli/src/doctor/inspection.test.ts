/** What `doctor` says about a daemon that answers, fails, or does not run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { Context } from '../program/context.ts';
import { inspectNetyard } from './inspection.ts';

const paths = { dataRoot: '', configFile: '' };

async function gradeOf(error: NetyardError): Promise<string | undefined> {
  const client = {
    address: { kind: 'unix' },
    system: { checks: () => Promise.reject(error), info: () => Promise.reject(error) },
  };
  const context = { client: () => client } as unknown as Pick<Context, 'client'>;
  const findings = await inspectNetyard(context, { isRoot: false }, paths);
  return findings.find(({ id }) => id === 'daemon')?.grade;
}

test('a daemon that fails to inspect the host is broken, not absent', async () => {
  assert.equal(await gradeOf(new NetyardError('internal', 'a bug')), 'broken');
  assert.equal(await gradeOf(new NetyardError('failed', 'too many open files')), 'broken');
  assert.equal(await gradeOf(new NetyardError('unavailable', 'cannot connect')), undefined);
  assert.equal(await gradeOf(new NetyardError('forbidden', 'permission denied')), undefined);
  assert.equal(await gradeOf(new NetyardError('not-found', 'page not found')), undefined, 'an older daemon');
});
