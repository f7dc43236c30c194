/** What a build does before and after buildah runs; buildah itself is tested in e2e. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { openBuilder } from './buildah.ts';

test('adding an image ends on abort, also while its archive is written, and leaves nothing', async (t) => {
  const dataRoot = mkdtempSync(join(tmpdir(), 'builder-'));
  t.after(() => rmSync(dataRoot, { recursive: true }));
  for (const name of ['buildah', 'crun']) writeFileSync(join(dataRoot, name), '', { mode: 0o755 });
  const builder = openBuilder({ dataRoot, searchPath: dataRoot, cgroupParent: '/netyard-none' });
  const workspace = await builder.open();
  const abort = new AbortController();
  const endless = new Readable({ read: () => abort.abort() });
  await assert.rejects(workspace.addImage(endless, ['a'], abort.signal), { name: 'AbortError' });
  assert.ok(endless.destroyed);
  await workspace.close();
  assert.deepEqual(readdirSync(join(dataRoot, 'builds')), []);
});
