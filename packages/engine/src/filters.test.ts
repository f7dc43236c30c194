import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patternTest } from './filters.ts';

test('a filter of names is their text or an expression in the syntax of Go', () => {
  const cases: [string[] | undefined, string[], string[]][] = [
    [undefined, ['web'], []],
    [[], ['web'], []],
    [['we'], ['web', 'awe'], ['wb']],
    [['^we$', 'db'], ['we', 'db1'], ['web']],
    [['(?i)^WEB'], ['web1'], ['my-web']],
    [['\\Aweb'], ['web1'], ['Aweb', 'my-web']],
    [['^[[:alpha:]]+$'], ['web'], ['web1']],
    [['a(', 'b'], ['a(', 'b'], ['a']], // not valid: plain text
    [['^(?=a)', 'b'], ['b', '^(?=a)'], ['a']],
    [['^(a|aa)+$'], ['aa'], [`${'a'.repeat(250)}b`]], // 2^125 steps for an engine that goes back
  ];
  for (const [requested, matching, others] of cases) {
    const matches = patternTest(requested);
    for (const name of matching) assert.ok(matches(name), `${requested} matches ${name}`);
    for (const name of others) assert.ok(!matches(name), `${requested} does not match ${name}`);
  }
});
