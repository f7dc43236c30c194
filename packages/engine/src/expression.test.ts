import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { parseExpression } from './expression.ts';

test('expressions have the syntax of Go', () => {
  const cases: [string, string[], string[]][] = [
    ['', ['', 'app'], []],
    ['^app$', ['app'], ['my-app', 'app2']],
    ['(?i)^app', ['APP.name', 'app'], ['my-app']],
    ['\\Aapp', ['app'], ['Aapp', 'my-app']],
    ['app\\z', ['my-app'], ['appz', 'app2']],
    ['^[[:alpha:]]+$', ['app'], ['a:]', 'app2']],
    ['^(?P<first>a)b', ['abc'], ['b']],
    ['^\\Qa.b\\E$', ['a.b'], ['aXb']],
    ['^\\pL$', ['é'], ['pL', '1']],
    ['^a.b$', ['a\rb', 'a😀b'], ['a\nb']],
  ];
  for (const [pattern, matching, others] of cases) {
    const expression = parseExpression(pattern);
    for (const text of matching) assert.ok(expression.test(text), `${pattern} matches ${text}`);
    for (const text of others) assert.ok(!expression.test(text), `${pattern} does not match ${text}`);
  }
});

test('invalid expressions are rejected with the texts of Go', () => {
  const cases: [string, string][] = [
    ['(', 'missing closing ): `(`'],
    ['[', 'missing closing ]: `[`'],
    ['*', 'missing argument to repetition operator: `*`'],
    ['a)', 'unexpected ): `a)`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['(a)\\1', 'invalid escape sequence: `\\1`'],
    ['[[:foo:]]', 'invalid character class range: `[:foo:]`'],
    ['a{1001}', 'invalid repeat count: `{1001}`'],
    ['a\\', 'trailing backslash at end of expression: ``'],
  ];
  for (const [pattern, message] of cases)
    assert.throws(
      () => parseExpression(pattern),
      (error) => isNetyardError(error, 'invalid') && error.message === `error parsing regexp: ${message}`,
      pattern,
    );
});

// A backtracking engine would need 2^1000 steps: the test would never end.
test('a long text does not hold up the daemon, whatever the expression', () => {
  for (const pattern of ['^(a|aa)+$', '^(a+)+$', '(a*)*b'])
    assert.equal(parseExpression(pattern).test(`${'a'.repeat(1000)}c`), false);
});

test('an expression that would become a large program is rejected', () => {
  const tooLarge = { code: 'invalid', message: 'error parsing regexp: expression too large' };
  for (const pattern of ['x{1000}'.repeat(20), `${'x'.repeat(200)}(y{30}){30}`, '.'.repeat(200_000)])
    assert.throws(() => parseExpression(pattern), tooLarge);
  assert.ok(parseExpression('^[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){0,7}$').test('web-1.example'));
});

test('the engine of RE2 is loaded for expressions that need it only', () => {
  const loaded = (pattern: string): string => {
    const code = `
      import { createRequire } from 'node:module';
      import { parseExpression } from ${JSON.stringify(import.meta.resolve('./expression.ts'))};
      parseExpression(process.argv[1]);
      const { cache } = createRequire(${JSON.stringify(import.meta.url)});
      console.log(Object.keys(cache).some((path) => path.includes('/re2js/')));`;
    return execFileSync(process.execPath, ['--input-type=module', '--eval', code, pattern], {
      encoding: 'utf8',
    }).trim();
  };
  assert.equal(loaded('^/web-1$'), 'false');
  assert.equal(loaded('^web.*'), 'true');
});
