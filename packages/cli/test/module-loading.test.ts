/** Modules loaded by a command: no validation, which is the daemon's, so that commands start quickly. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'netyard-loaded-'));
after(() => rmSync(folder, { recursive: true }));
const top = join(import.meta.dirname, '../../..');

/** Paths of all modules that a command line loads, without a daemon. */
function loadedBy(...words: string[]): string[] {
  const list = join(folder, 'list');
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context); } });
`,
  );
  writeFileSync(list, '');
  const main = join(top, 'packages/cli/src/main.ts');
  const { status, stderr } = spawnSync(process.execPath, ['--import', pathToFileURL(hook).href, main, ...words], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, DOCKER_HOST: `unix://${join(folder, 'no.sock')}` },
  });
  assert.match(stderr, /annot connect to the/, `status ${status}: ${stderr}`);
  return readFileSync(list, 'utf8').split('\n');
}

for (const words of [['ps'], ['run', '-d', '-p', '80:80', 'image'], ['exec', 'name', 'true']]) {
  test(`${words[0]} does not load zod`, () => {
    const loaded = loadedBy(...words);
    assert.ok(loaded.some((url) => url.endsWith('/cli/src/program/command.ts')));
    assert.deepEqual(
      loaded.filter((url) => /node_modules\/zod|\/docker-api\//.test(url)),
      [],
    );
  });
}

test('ps does not load the tables of fields', () => {
  assert.deepEqual(
    loadedBy('ps').filter((url) => url.includes('/api-types/')),
    [],
  );
});
