import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inFreshHost } from '@netyard/testkit';
import { openTaskHost, type TaskHost } from './task-host.ts';

const host = inFreshHost(import.meta.url, { cgroups: true });
let yard: TaskHost;
before(async () => {
  yard = await openTaskHost();
});
after(() => yard.close());

test('a process runs, its output is in the files, its exit code is told', host, async () => {
  const spec = yard.spec(['sh', '-c', 'echo out; echo err >&2; exit 7']);
  const { pid } = await yard.runtime.create(spec);
  assert.ok(pid > 0);
  await yard.runtime.start(spec.id);
  const exit = await yard.exited(spec.id);
  assert.equal(exit.exitCode, 7);
  assert.deepEqual(await yard.runtime.delete(spec.id), exit);
  assert.equal(yard.output(spec.id), 'out\n');
  assert.equal(yard.output(spec.id, 'stderr'), 'err\n');
});
