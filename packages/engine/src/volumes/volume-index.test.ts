import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@netyard/core';
import type { EngineSettings } from '../settings.ts';
import { VolumeIndex } from './volume-index.ts';

function openIndex(dataRoot: string): VolumeIndex {
  const store = { volumes: () => [], putVolume: () => undefined, deleteVolume: () => undefined };
  const mounts = { mountedBelow: () => [], unmountFileSystem: async () => undefined };
  const settings = { dataRoot } as EngineSettings;
  return new VolumeIndex({ store, settings, clock: systemClock, containers: () => [], mounts });
}

const request = { name: 'data', driver: '', options: {}, labels: {} };

test('a volume created while its predecessor of that name is deleted keeps its files', async (t) => {
  const dataRoot = mkdtempSync(join(tmpdir(), 'netyard-volumes-'));
  t.after(() => rmSync(dataRoot, { recursive: true }));
  const volumes = openIndex(dataRoot);
  for (let round = 0; round < 20; round += 1) {
    const old = volumes.ensure(request).record.mountpoint;
    for (let number = 0; number < 50; number += 1) writeFileSync(join(old, `old-${number}`), '');
    const removal = volumes.remove('data');
    const { record, created } = volumes.ensure(request);
    assert.equal(created, true);
    writeFileSync(join(record.mountpoint, 'new'), '');
    await removal;
    assert.deepEqual(readdirSync(record.mountpoint), ['new']);
    await volumes.remove('data');
  }
  assert.deepEqual(readdirSync(join(dataRoot, 'volumes')), []);
});

test('an interrupted deletion is finished, and nothing else is deleted', async (t) => {
  const dataRoot = mkdtempSync(join(tmpdir(), 'netyard-volumes-'));
  t.after(() => rmSync(dataRoot, { recursive: true }));
  const volumes = openIndex(dataRoot);
  const { record } = volumes.ensure(request);
  writeFileSync(join(record.mountpoint, 'file'), '');
  mkdirSync(join(dataRoot, 'volumes/.removed-1/_data'), { recursive: true });
  mkdirSync(join(dataRoot, 'volumes/unknown/_data'), { recursive: true });
  await volumes.finishRemovals();
  assert.deepEqual(readdirSync(join(dataRoot, 'volumes')).sort(), ['data', 'unknown']);
  assert.ok(existsSync(join(record.mountpoint, 'file')));
});

test('an invalid file name is rejected as a volume name', () => {
  const volumes = openIndex('/nonexistent');
  volumes.check({ ...request, name: 'v'.repeat(250) });
  assert.throws(() => volumes.check({ ...request, name: 'v'.repeat(251) }), /volume name is longer than 250 bytes/);
});
