/** Scanning a container's files yields to the event loop and tolerates concurrent changes. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { changesOf, usedBytes } from './overlay-changes.ts';

const count = 5000;
const top = mkdtempSync(join(tmpdir(), 'netyard-changes-'));
const [upper, lower] = [join(top, 'upper'), join(top, 'lower')];

before(() => {
  mkdirSync(lower);
  mkdirSync(join(upper, 'many'), { recursive: true });
  for (let number = 0; number < count; number += 1) writeFileSync(join(upper, 'many', String(number)), 'x');
});
after(() => rmSync(top, { recursive: true }));

test('the scan yields to the event loop', async () => {
  let turns = 0;
  let looking = true;
  const looked = Promise.all([usedBytes(upper), changesOf(upper, lower)]).finally(() => {
    looking = false;
  });
  for (; looking; turns += 1) await yieldToEventLoop();
  const [bytes, changes] = await looked;
  assert.deepEqual([bytes, changes.length, changes[0]], [count, count + 1, { path: '/many', kind: 'added' }]);
  assert.ok(turns > 2, `${turns} turns`);
});

test('files that vanish during the scan are skipped', async () => {
  const looking = Promise.all([usedBytes(upper), changesOf(upper, lower)]);
  rmSync(join(upper, 'many'), { recursive: true });
  const [bytes, changes] = await looking;
  assert.ok(bytes < count, `${bytes} bytes`);
  assert.ok(changes.length < count, `${changes.length} changes`);
});
