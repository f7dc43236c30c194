import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepairPace } from './repair-pace.ts';

test('repairs follow at once until one object is contested, and again after a calm period', () => {
  const pace = new RepairPace();
  const announced = Array.from({ length: 20 }, (_, index) => pace.note(['a', `b${index}`], index * 100)).flat();
  assert.deepEqual(announced, ['a']);
  assert.equal(pace.delay(2000), 1000);
  assert.equal(pace.delay(11_000), 1000);
  assert.equal(pace.delay(12_000), 50);
  assert.deepEqual(pace.note(['a'], 12_000), []);
  assert.equal(pace.delay(12_000), 50);
});

test('repairs of different objects, or far apart, are not delayed', () => {
  const pace = new RepairPace();
  for (let time = 0; time < 100_000; time += 1500) assert.deepEqual(pace.note(['a', `${time}`], time), []);
  assert.equal(pace.delay(100_000), 50);
});
