/** The thread that reads logs, with a log that cannot be read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@netyard/core';
import { LogReader } from './log-reader.ts';
import { RequestActivity } from './request-activity.ts';

/** Open descriptors of files below this directory. */
const openBelow = (directory: string): string[] =>
  readdirSync('/proc/self/fd')
    .map(targetOf)
    .filter((target) => target.startsWith(directory));

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // of the directory that was read
  }
}

test('a log whose last lines cannot be read leaves no descriptors open', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'netyard-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'log');
  writeFileSync(path, '{"log":"a\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n');
  mkdirSync(`${path}.1`); // can be opened, but not read
  const logs = new LogReader(silentLogger, new RequestActivity());
  t.after(() => logs.close());
  const range = { since: undefined, until: undefined, tail: 10, end: undefined, follow: false };
  const options = { path, ...range, stdout: true, stderr: true, timestamps: false, details: false, framed: false };
  await assert.rejects(logs.open(options, undefined, t.signal), /is a directory/);
  assert.deepEqual(openBelow(directory), []);
});
