/** The files of recorded states: what is read, their bounds, and damage. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StateItem } from './item.ts';
import { StateFiles } from './state-files.ts';

const base = 1_800_000_000_000_000_000n;
const second = 1_000_000_000n;
const day = 86_400n * second;
const item = (key: string, text = key): StateItem => ({ key, create: [text], remove: [`delete ${text}`] });

function openFolder(context: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-states-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const keysAt = async (files: StateFiles, time: bigint): Promise<string[] | undefined> =>
  (await files.read(time))?.items.map(({ create }) => String(create[0]));

test('the state at a time is the last one before it, also for files of an earlier daemon', async (context) => {
  const folder = openFolder(context);
  const files = new StateFiles(folder, { maximumBytes: 1e6, maximumAge: day });
  assert.ok(files.needsWhole);
  assert.ok(await files.writeWhole(base, [item('a'), item('b')]));
  assert.ok(!files.needsWhole);
  await files.writeChange(base + second, [item('c'), item('a', 'A')], ['b']);
  assert.equal(await keysAt(files, base - 1n), undefined);
  assert.deepEqual(await keysAt(files, base + 1n), ['a', 'b']);
  assert.deepEqual(await keysAt(files, base + 5n * second), ['A', 'c']);
  assert.equal((await files.read(base + 5n * second))?.time, base + second);
  const again = new StateFiles(folder, { maximumBytes: 1e6, maximumAge: day });
  assert.ok(again.needsWhole, 'a file of an earlier process is not continued');
  assert.deepEqual(await keysAt(again, base + 5n * second), ['A', 'c']);
  assert.equal(statSync(join(folder, readdirSync(folder)[0] ?? '')).mode & 0o777, 0o600);
});

test('size and age are bounded, and the newest state is kept', async (context) => {
  const folder = openFolder(context);
  const files = new StateFiles(folder, { maximumBytes: 400_000, maximumAge: day });
  let time = base;
  const items = (round: number): StateItem[] => [item(`${round} ${'x'.repeat(500)}`)];
  for (let round = 0; round < 3000; round += 1) {
    time += second;
    if (files.needsWhole) assert.ok(await files.writeWhole(time, items(round)));
    else await files.writeChange(time, items(round), [`${round - 1} ${'x'.repeat(500)}`]);
  }
  const bytes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  assert.ok(bytes.reduce((a, b) => a + b) <= 400_000, String(bytes));
  assert.equal((await files.read(time))?.items[0]?.key, items(2999)[0]?.key);
  assert.equal(await files.read(base + second), undefined);
  const oldest = files.oldest ?? 0n;
  assert.ok(oldest > base && (await files.read(oldest)) !== undefined);
  await files.writeChange(time + 10n * day, items(1), []);
  const before = readdirSync(folder).length;
  await files.writeChange(time + 10n * day, items(2), []);
  assert.ok(before <= readdirSync(folder).length && readdirSync(folder).length === 1, 'old files are deleted');
});

test('a long change counts when it is whole', async (context) => {
  const folder = openFolder(context);
  const files = new StateFiles(folder, { maximumBytes: 1e6, maximumAge: day });
  await files.writeWhole(base, [item('a')]);
  const many = Array.from({ length: 1000 }, (_, index) => item(`${index}`));
  await files.writeChange(base + second, many, ['a']);
  assert.equal((await keysAt(files, base + day))?.length, 1000);
  const path = join(folder, readdirSync(folder)[0] ?? '');
  const lines = readFileSync(path, 'utf8').split('\n');
  assert.ok(lines.length > 5, `${lines.length} lines`);
  writeFileSync(path, lines.slice(0, 3).join('\n'));
  assert.deepEqual(await keysAt(files, base + day), ['a']);
});

test('a state that is too long is refused, and nothing is written', async (context) => {
  const folder = openFolder(context);
  const files = new StateFiles(folder, { maximumBytes: 65_536, maximumAge: day });
  const random = Array.from({ length: 5000 }, () => item(Math.random().toString(36)));
  assert.equal(await files.writeWhole(base, random), false);
  assert.deepEqual(readdirSync(folder), []);
});

test('of a damaged file, the states before the damage are read', async (context) => {
  const folder = openFolder(context);
  const files = new StateFiles(folder, { maximumBytes: 1e6, maximumAge: day });
  await files.writeWhole(base, [item('a')]);
  await files.writeChange(base + second, [item('b')], []);
  const path = join(folder, readdirSync(folder)[0] ?? '');
  appendFileSync(path, '{"t":"18000000020');
  assert.deepEqual(await keysAt(files, base + day), ['a', 'b']);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"z":"', '"y":"'));
  assert.equal(await files.read(base + day), undefined);
});
