/** The picture of the README is current: it is drawn again from a lab. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cannotRun } from './support/engines.ts';

const top = join(import.meta.dirname, '..');

test('script/draw-topology draws the picture of the README from a lab', { skip: cannotRun('netyard') }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'picture-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'topology.svg');
  const { status, stderr } = spawnSync(join(top, 'script/draw-topology'), [file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(file, 'utf8'), readFileSync(join(top, 'docs/images/topology.svg'), 'utf8'));
});
