/** Pages of the program's file that the process does not use. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { releaseProgramPages } from '@netyard/kernel';

/** Resident pages of files, in KiB. */
const residentFiles = (): number =>
  Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

test('released pages of the program are mapped again where they are used', async () => {
  const before = residentFiles();
  await releaseProgramPages();
  assert.ok(residentFiles() < 0.7 * before, `${residentFiles()} of ${before} KiB`);
  assert.equal(new Intl.NumberFormat('en').format(1234567), '1,234,567');
  assert.equal(new Function('return 6 * 7')(), 42);
});
