import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planCurve } from './curve.ts';

const cell = (x: number, y: number) => ({ x, y, width: 100, height: 40 });

test('a line runs from border to border; its text is near its middle', () => {
  assert.deepEqual(planCurve(cell(0, 0), cell(300, 0)), { path: 'M100 20 Q200 44 300 20', labelX: 200, labelY: 32 });
  assert.equal(planCurve(cell(0, 0), cell(0, 200)).path, 'M50 40 Q30.8 120 50 200');
});

test('the two directions are bent to different sides', () => {
  assert.equal(planCurve(cell(300, 0), cell(0, 0)).path, 'M300 20 Q200 -4 100 20');
});

test('a node within the other one has a line from its centre', () => {
  assert.doesNotMatch(planCurve(cell(10, 10), { x: 0, y: 0, width: 500, height: 500 }).path, /NaN|Infinity/);
  assert.doesNotMatch(planCurve(cell(0, 0), cell(0, 0)).path, /NaN|Infinity/);
});
