/** Which exits get an OOM event before them, with files as the kernel has them in cgroups v1 and v2. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RuntimeEvent } from '@netyard/engine';
import { OomKills } from './oom-kills.ts';

const top = mkdtempSync(join(tmpdir(), 'netyard-oom-'));
after(() => rmSync(top, { recursive: true }));
mkdirSync(join(top, 'group'));

const exit: RuntimeEvent = { type: 'exit', id: 'a', pid: 7, exit: { exitCode: 137, exitedAt: 0n } };
const oom: RuntimeEvent = { type: 'oom', id: 'a' };
const versions = [
  ['1', 'memory', 'memory.oom_control', (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`],
  ['2', '', 'memory.events', (kills: number) => `low 0\nhigh 0\nmax 9\noom 1\noom_kill ${kills}\n`],
] as const;

for (const [version, controller, file, text] of versions) {
  const opened = (kills: number): OomKills => {
    writeFileSync(join(top, 'group', file), text(kills));
    const found = new OomKills({ version, mountPoints: new Map([[controller, top]]) });
    found.track('a', '/group');
    return found;
  };

  test(`cgroups v${version}: an exit follows the OOM kill that containerd did not report`, () => {
    assert.deepEqual(opened(0).complete(exit), [exit]);
    assert.deepEqual(opened(1).complete(exit), [oom, exit]);
  });

  test(`cgroups v${version}: a kill that is reported is not reported again`, () => {
    const kills = opened(1);
    assert.deepEqual(kills.complete(oom), [oom]);
    assert.deepEqual(kills.complete(exit), [exit]);
  });
}

test('exits of exec processes, of other tasks and of tasks without a group are unchanged', () => {
  const kills = new OomKills({ version: '2', mountPoints: new Map([['', top]]) });
  kills.track('a', '/missing');
  for (const event of [exit, { ...exit, execId: 'e' }, { ...exit, id: 'b' }])
    assert.deepEqual(kills.complete(event), [event]);
});

test('an exit is delivered also when the counter cannot be read', () => {
  mkdirSync(join(top, 'odd', 'memory.events'), { recursive: true }); // EISDIR
  const kills = new OomKills({ version: '2', mountPoints: new Map([['', top]]) });
  kills.track('a', '/odd');
  assert.deepEqual(kills.complete(exit), [exit]);
});
