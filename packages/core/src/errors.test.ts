import assert from 'node:assert/strict';
import { readFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { type ErrorCode, errorCodeOf, failureCodeOf, KernelError, NetyardError } from './errors.ts';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

const kernelError = (errno: number, errnoName: string): KernelError =>
  new KernelError({ errno, errnoName, operation: 'ip link add', object: 'veth0' });

test('an error that wraps another one is a defect only when that one is', () => {
  const missing = thrownBy(() => readFileSync('/proc/no-such-file'));
  const typeError = thrownBy(() => (undefined as unknown as string[]).length);
  const cases: [unknown, ErrorCode, 'failed' | 'internal'][] = [
    [new NetyardError('conflict', 'x'), 'conflict', 'failed'],
    [new NetyardError('internal', 'x'), 'internal', 'internal'],
    [missing, 'failed', 'failed'],
    [thrownBy(() => writeSync(2 ** 30, 'x')), 'internal', 'internal'],
    [typeError, 'internal', 'internal'],
    ['text', 'internal', 'internal'],
    [kernelError(16, 'EBUSY'), 'failed', 'failed'],
    [kernelError(9, 'EBADF'), 'internal', 'internal'],
    [new AggregateError([missing, new NetyardError('conflict', 'x')]), 'failed', 'failed'],
    [new AggregateError([missing, typeError]), 'internal', 'internal'],
  ];
  for (const [error, code, failureCode] of cases) {
    assert.equal(errorCodeOf(error), code, String(error));
    assert.equal(failureCodeOf(error), failureCode, String(error));
  }
});
