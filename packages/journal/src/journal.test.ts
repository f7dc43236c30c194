/** The files of the journal: order, bounds, damage, a full disk. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { cut, encodeEntry, type JournalEntry, type JournalQuery, maximumLine, parseEntry } from './entry.ts';
import { Journal } from './journal.ts';

const second = 1_000_000_000n;
const start = 1_700_000_000n * second;
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const newFolder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), 'netyard-journal-')));
  return join(folders.at(-1) ?? '', 'journal');
};

/** A journal whose clock advances by a second per entry, and its warnings. */
function openJournal(folder = newFolder(), { maximumBytes = 8 * 1024 * 1024, maximumAge = 604_800, now = start } = {}) {
  const state = { now };
  const warnings: string[] = [];
  const clock = { now: () => state.now };
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const journal = new Journal({ folder, maximumBytes, maximumAge, clock, logger });
  const note = (text: string, names: readonly string[] = [], commands: readonly string[] = []): void => {
    state.now += second;
    journal.note({ kind: 'repair', object: 'network bridge', text, commands, names });
  };
  const texts = async (query: JournalQuery = {}): Promise<string[]> => {
    const entries = [];
    for await (const { text } of journal.read(query)) entries.push(text);
    return entries;
  };
  const files = (): string[] => readdirSync(folder).sort();
  const bytes = (): number => files().reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  return { journal, state, warnings, note, texts, files, bytes, folder };
}

test('entries are read oldest first, by a journal opened later as well', async () => {
  const { journal, note, texts, files, folder } = openJournal();
  for (const text of ['one', 'two', 'three']) note(text);
  assert.deepEqual(await texts(), ['one', 'two', 'three']);
  await journal.close();
  const again = openJournal(folder, { now: start + 10n * second });
  again.note('four');
  assert.deepEqual(await again.texts(), ['one', 'two', 'three', 'four']);
  assert.equal(statSync(join(folder, files()[0] ?? '')).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('100,000 repairs stay within the size, and the newest are kept', async () => {
  const { note, texts, journal, bytes, files } = openJournal();
  const command = 'ip route add 172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1';
  for (let index = 1; index <= 100_000; index += 1) {
    note(`repair ${index}; repaired by: ${command}`, ['bridge', 'docker0'], [command]);
    if (index % 1000 === 0) await journal.flush();
  }
  const kept = await texts();
  assert.ok(bytes() <= 8 * 1024 * 1024, `${bytes()} bytes`);
  assert.ok(bytes() > 7 * 1024 * 1024 - 65_536, `${bytes()} bytes`);
  assert.ok(files().length <= 9, `${files().length} files`);
  assert.match(kept.at(-1) ?? '', /^repair 100000;/);
  const first = Number(/^repair (\d+);/.exec(kept[0] ?? '')?.[1]);
  assert.equal(kept.length, 100_000 - first + 1, 'without gaps');
});

test('entries of a burst that is not written in time are bounded in memory; the oldest are dropped', async () => {
  const { note, texts } = openJournal();
  for (let index = 1; index <= 100_000; index += 1) note(`repair ${index}`);
  const kept = await texts();
  assert.ok(kept.length > 10_000 && kept.length < 100_000, `${kept.length}`);
  assert.equal(kept.at(-1), 'repair 100000');
});

test('entries beyond the age are not read, and their files are deleted', async () => {
  const { note, texts, state, journal, files } = openJournal(newFolder(), { maximumAge: 3600, maximumBytes: 65_536 });
  note('old', [], ['x'.repeat(4000)]);
  await journal.flush();
  note(
    'also old',
    [],
    Array.from({ length: 10 }, () => 'y'.repeat(400)),
  );
  await journal.flush();
  assert.equal((await texts()).length, 2);
  state.now += 3700n * second;
  assert.deepEqual(await texts(), []);
  note('new', [], ['z'.repeat(4000)]);
  assert.deepEqual(await texts(), ['new']);
  assert.equal(files().length, 1);
});

test('damaged, truncated, foreign and endless lines are skipped', async () => {
  const { note, texts, folder, files, journal } = openJournal();
  note('one');
  await journal.close();
  const file = join(folder, files()[0] ?? '');
  const line = readFileSync(file, 'utf8');
  const foreign = ['\0\0\0\xff', '[]', 'null', '{"time":"yesterday"}', '{"time":1}', line.trim().replace('[]', '[1]')];
  appendFileSync(file, `${foreign.join('\n')}\n${'{'.repeat(maximumLine + 1)}\n${line.slice(0, 30)}`, 'latin1');
  writeFileSync(join(folder, 'notes.txt'), 'not a part of it');
  assert.deepEqual(await texts(), ['one']);
  const again = openJournal(folder, { now: start + 10n * second });
  again.note('two');
  assert.deepEqual(await again.texts(), ['one', 'two'], 'a new entry is not joined to a truncated line');
});

test('a folder that cannot be written costs one warning, and entries are written when it can be again', async () => {
  const { note, texts, warnings, folder, journal, bytes } = openJournal();
  note('one');
  await journal.flush();
  const file = join(folder, 'journal-00000001.jsonl');
  const content = readFileSync(file);
  rmSync(file);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, ''); // a file: nothing below it can be opened, also by root
  for (const text of ['two', 'three']) {
    note(text);
    await journal.flush();
  }
  assert.deepEqual(warnings, ['the journal cannot be written']);
  assert.deepEqual(await texts(), ['two', 'three'], 'what is in memory is read');
  rmSync(folder);
  const restored = openJournal(folder);
  writeFileSync(file, content);
  assert.deepEqual(await texts(), ['one', 'two', 'three']);
  assert.ok(bytes() > content.length);
  assert.equal(restored.warnings.length, 0);
});

test('a query selects by name, by a part of an id and by time', async () => {
  const { note, texts } = openJournal();
  const id = 'ab12'.repeat(16);
  note('one', ['web', id]); // start + 1 s
  note('two', ['bridge', 'docker0']);
  note('three', ['web', id, 'bridge']);
  assert.deepEqual(await texts({ target: 'web' }), ['one', 'three']);
  assert.deepEqual(await texts({ target: id.slice(0, 12) }), ['one', 'three']);
  assert.deepEqual(await texts({ target: id.slice(0, 4) }), []);
  assert.deepEqual(await texts({ target: 'docker0' }), ['two']);
  assert.deepEqual(await texts({ target: 'we' }), []);
  assert.deepEqual(await texts({ since: start + 2n * second }), ['two', 'three']);
  assert.deepEqual(await texts({ until: start + 2n * second }), ['one', 'two']);
  assert.deepEqual(await texts({ target: 'web', since: start + 2n * second, until: start + 9n * second }), ['three']);
});

test('a line is read back unchanged; long texts are cut, and no line is longer than the bound', () => {
  const entry: JournalEntry = {
    ...{
      time: 1_700_000_000_123_456_789n,
      kind: 'repair',
      object: 'container 名',
      text: 'a\n"b"\u2028',
      commands: ['x'],
    },
    names: ['web'],
  };
  assert.deepEqual(parseEntry(encodeEntry(entry).trimEnd()), entry);
  assert.equal(encodeEntry(entry).split('\n').length, 2);
  const long = '\u0001'.repeat(100_000);
  const line = encodeEntry({
    ...entry,
    object: long,
    text: long,
    commands: Array(1000).fill(long),
    names: Array(500).fill(long),
  });
  assert.ok(Buffer.byteLength(line) <= maximumLine, `${Buffer.byteLength(line)}`);
  assert.equal(cut('abcdef', 3), 'abc… (3 characters more)');
});
