import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { asAscii } from './ascii.ts';

test('code without characters beyond ASCII has the same value', () => {
  const codes = ["'… µs'", '`└─ $` + `{1} 😀`', '/^[µ…]$/u.test("µ")', '({ µs: 1 })'];
  for (const code of codes) {
    const written = asAscii(code);
    assert.match(written, /^[\0-\x7f]+$/);
    assert.deepEqual(runInThisContext(`(${written})`), runInThisContext(`(${code})`));
  }
});
