import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeJsonError } from './json-error.ts';

test('JSON errors have the messages of Go’s decoder', () => {
  const cases: [string, string][] = [
    ['{', 'unexpected EOF'],
    ['{"a"', 'unexpected EOF'],
    ['"a', 'unexpected EOF'],
    ['[1,', 'unexpected EOF'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{a: 1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['[1.x]', "invalid character 'x' after decimal point in numeric literal"],
    ['[1ex]', "invalid character 'x' in exponent of numeric literal"],
    ['trux', "invalid character 'x' in literal true (expecting 'e')"],
    ['\0', "invalid character '\\x00' looking for beginning of value"],
    ['{} {}', 'unexpected content after JSON'],
    ['[01]', "invalid character '1' after array element"],
    ['['.repeat(100_000), 'exceeded max depth'],
  ];
  for (const [text, words] of cases) {
    assert.equal(describeJsonError(text), words, text.slice(0, 20));
    assert.throws(() => JSON.parse(text) as unknown);
  }
});
