/** A journal on a file system that fills up: no line is torn or written twice, and writing continues when there is room. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLogger, systemClock } from '@netyard/core';
import { Journal } from '../src/index.ts';

const top = mkdtempSync(join(tmpdir(), 'netyard-full-'));
const folder = join(top, 'journal');
before(() => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', top]));
after(() => {
  execFileSync('umount', [top]);
  rmSync(top, { recursive: true });
});

test('entries that a full disk rejects are written once there is room, whole and in order', async () => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const limits = { maximumBytes: 8 * 1024 * 1024, maximumAge: 3600 };
  const journal = new Journal({ folder, ...limits, clock: systemClock, logger });
  writeFileSync(join(top, 'fill'), Buffer.alloc(100 * 1024));
  const expected: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    for (let index = 0; index < 90; index += 1) {
      const text = `${round} ${index} ${'x'.repeat(120)}`;
      expected.push(text);
      journal.note({ kind: 'repair', object: 'network bridge', text, commands: [], names: [] });
    }
    await journal.flush();
  }
  assert.deepEqual(warnings, ['the journal cannot be written']);
  const lines = (): string[] =>
    readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean));
  const textOf = (line: string): unknown => JSON.parse(line).text;
  const onFull = lines().map(textOf);
  assert.ok(onFull.length > 0 && onFull.length < expected.length, `${onFull.length} lines`);
  assert.deepEqual(onFull, expected.slice(0, onFull.length));

  rmSync(join(top, 'fill'));
  await journal.close();
  assert.deepEqual(lines().map(textOf), expected);
});
