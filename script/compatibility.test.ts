/** The tables of fields: the page generated from them is current, and no flag is defined twice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bodiesOf, type FlagCommand, flagsOf, placedFields } from '@netyard/api-types';
import { compatibilityFile, compatibilityPage } from './compatibility.ts';

test('docs/compatibility.md is current', () => {
  const current = readFileSync(compatibilityFile, 'utf8') === compatibilityPage();
  assert.ok(current, 'run `node script/compatibility.ts` and commit docs/compatibility.md');
});

for (const command of Object.keys(bodiesOf) as FlagCommand[]) {
  test(`each flag of ${command} fills one field, and flags that other fields refer to exist`, () => {
    const fields = bodiesOf[command].flatMap((body) => placedFields(body));
    const own = fields.flatMap(({ field }) => field.flags ?? []).filter(({ on }) => on.includes(command));
    const names = own.map(({ name }) => name);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    const shorts = flagsOf(command).flatMap(({ short }) => short ?? []);
    assert.equal(new Set(shorts).size, shorts.length);
  });
}
