/** A seeded tree of all kinds of entries is identical after packing and unpacking by `netyard cp`. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeTree, differencesOf, inFreshHost, makeTree } from '@netyard/testkit';
import { packPath } from '../src/copy/pack.ts';
import { unpack } from '../src/copy/unpack.ts';

const host = inFreshHost(import.meta.url);
const seed = Number((process.env['NETYARD_TREE_SEEDS'] ?? '1').split(',')[0]);

test('a tree is unchanged after packing and unpacking by netyard cp', host, async (t) => {
  const { mount, unmount } = await import('@netyard/kernel');
  const folder = mkdtempSync('/tmp/netyard-copy-trees-');
  mount({ source: 'tmpfs', target: folder, type: 'tmpfs' });
  t.after(() => {
    unmount(folder, { lazy: true });
    rmSync(folder, { recursive: true });
  });
  makeTree(join(folder, 'top'), { seed, longestPath: 3900 });
  mkdirSync(join(folder, 'copy'));
  const leftOut = await unpack(packPath(join(folder, 'top'), 'top', false), join(folder, 'copy'), (name) => name);
  assert.deepEqual(leftOut.sort(), ['disk', 'far', 'null', 'terminal'].map((name) => `top/nodes/${name}`).sort());
  const options = {
    owners: false, // files belong to the caller
    hasXattr: () => false,
    timeOf: (time: bigint) => (time + 500_000n) / 1_000_000n, // node:fs takes times as doubles
  };
  const expected = describeTree(join(folder, 'top'), { ...options, skip: (path) => leftOut.includes(`top/${path}`) });
  assert.deepEqual(differencesOf(describeTree(join(folder, 'copy/top'), options), expected), []);
  assert.ok(statSync(join(folder, 'copy/top/nodes/fifo')).isFIFO());
});
