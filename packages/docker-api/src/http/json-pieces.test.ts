/** Encoding of large JSON values in pieces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonPieces, LazyList, LazyMap } from './json-pieces.ts';

const joined = (value: unknown): string => [...jsonPieces(value)].join('');

test('the joined pieces equal the result of JSON.stringify', () => {
  const many = <T>(make: (index: number) => T): T[] => Array.from({ length: 200 }, (_, index) => make(index));
  const map = (make: (index: number) => unknown) => Object.fromEntries(many((index) => [`k"${index}`, make(index)]));
  const values: unknown[] = [
    null,
    'text\u2028"\ud800',
    12.5,
    [],
    {},
    { a: undefined, b: [undefined, null] },
    many((index) => ({ index, nested: { list: many(() => 'x') } })),
    many(() => undefined),
    map((index) => (index % 2 ? undefined : { index })),
    { Containers: map(() => ({ Name: 'n' })), After: 'x' },
    { deep: { deeper: { deepest: many((index) => index) } } },
    { only: many(() => []), nothing: map(() => undefined) },
  ];
  for (const value of values) assert.equal(joined(value), JSON.stringify(value));
});

test('a lazy list creates each item when it is written', () => {
  const made: number[] = [];
  const list = new LazyList([1, 2, 3], (item) => {
    made.push(item);
    return { item };
  });
  const pieces = jsonPieces({ list, rest: true });
  while (!pieces.next().value?.startsWith('{"item":2'));
  assert.deepEqual(made, [1, 2]);
  assert.equal(joined({ list, rest: true }), '{"list":[{"item":1},{"item":2},{"item":3}],"rest":true}');
  assert.equal(joined(new LazyList([], String)), '[]');
  const map = new LazyMap(['a"', 'b'], (name) => [name, { name }]);
  assert.equal(joined({ map }), '{"map":{"a\\"":{"name":"a\\""},"b":{"name":"b"}}}');
  assert.equal(joined(new LazyMap([], () => ['', 0])), '{}');
});
