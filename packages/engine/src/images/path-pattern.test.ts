/** The cases of Go's path.Match that apply to image names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { pathPattern } from './path-pattern.ts';

test('what matches', () => {
  for (const [pattern, text, matches] of [
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*', 'a/b', false],
    ['**', 'a/b', false],
    ['*/*', 'a/b', true],
    ['a*:x', 'abc:x', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['a[/]b', 'a/b', true],
    ['[c-a]', 'b', false],
    ['[^c-a]', 'b', true],
    ['[\\]a]', ']', true],
    ['[\\-x]', '-', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['{a,b}', 'a', false],
    ['!(x)', 'a', false],
    ['a.c', 'abc', false],
    ['a-b', 'a-b', true],
    ['a b=_~#', 'a b=_~#', true],
    ['[a\\-c]', 'b', false],
    ['a+', 'aa', false],
    ['漢*', '漢字', true],
    ['', '', true],
    ['', 'a', false],
    ['a*b*c', 'abbc', true],
    ['*ab*ab', 'abab', true],
    ['*ab*ab', 'xabyabz', false],
    ['*b*/*d*', 'abc/cde', true],
    ['*a*b*', 'a/b', false],
    ['x**y', 'x1y', true],
  ] as const)
    assert.equal(pathPattern(pattern).test(text), matches, `${pattern} ${text}`);
});

test('invalid patterns are rejected', () => {
  for (const pattern of ['[', '[]', '[]a]', '[-]', '[x-]', '[-x]', '[a-', '[a', '[^', '\\', 'a\\', '[a\\'])
    assert.throws(
      () => pathPattern(pattern),
      (error) => isNetyardError(error, 'invalid') && error.message === 'syntax error in pattern',
      pattern,
    );
});

test('many stars are matched in time that does not multiply', () => {
  assert.equal(pathPattern(`${'*a'.repeat(40)}*ab`).test('a'.repeat(5000)), false);
});
