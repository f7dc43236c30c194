import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp, parsePrefix } from './ip.ts';
import { PrefixIndex } from './prefix-index.ts';

test('an index of disjoint prefixes finds, adds and deletes prefixes and rejects overlaps', () => {
  const index = new PrefixIndex<string>();
  const texts = ['10.2.0.0/16', '10.0.0.0/24', '192.168.12.0/24', '10.0.1.0/32', 'fd00::/64', '255.255.255.255/32'];
  for (const text of texts) index.add(parsePrefix(text), text);
  const meets = (text: string) => index.overlapping(parsePrefix(text))?.value;
  assert.equal(meets('10.2.3.0/24'), '10.2.0.0/16', 'inside of one');
  assert.equal(meets('10.0.0.0/8'), '10.0.0.0/24', 'around some');
  assert.equal(meets('10.0.1.0/24'), '10.0.1.0/32');
  assert.equal(meets('10.1.0.0/16'), undefined, 'between two');
  assert.equal(meets('10.3.0.0/16'), undefined);
  assert.equal(meets('0.0.0.0/8'), undefined, 'before all');
  assert.equal(meets('fd00::1/128'), 'fd00::/64', 'families are apart');
  assert.equal(index.find(parseIp('10.0.0.255'))?.value, '10.0.0.0/24');
  assert.equal(index.find(parseIp('10.0.1.1')), undefined);
  assert.throws(() => index.add(parsePrefix('10.2.0.0/24'), 'x'), RangeError);
  assert.ok(!index.delete(parsePrefix('10.2.0.0/24')), 'part of one is not it');
  assert.ok(index.delete(parsePrefix('10.2.0.0/16')));
  assert.equal(meets('10.2.3.0/24'), undefined);
});
