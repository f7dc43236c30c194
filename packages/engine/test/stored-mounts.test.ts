/** Mounts of containers that an older version stored. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { configOf } from './fakes/container-config.ts';
import { type Harness, openHarness } from './fakes/harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

test('mounts below a bind that an older version stored as writable stay writable', async () => {
  const bind = { type: 'bind', source: harness.directory, target: '/x/', readOnly: true } as const;
  const mounts = [
    { ...bind, readOnlyNonRecursive: true },
    { ...bind, target: '/y' },
  ];
  const { id } = await harness.engine.containers.create({ name: undefined, config: configOf({ mounts }) });
  const record = harness.store.records.get(id);
  assert.ok(record);
  const stored = record.mounts.map((mount) => ({ ...mount, options: [] })); // as before the option had an effect
  harness.store.putContainer({ ...record, mounts: stored });
  await harness.restart();
  await harness.engine.containers.start(id);
  const options = harness.runtime.tasks.get(id)?.spec.mounts.map((mount) => [mount.target, mount.options.join()]);
  const binds = options?.filter(([target]) => target === '/x' || target === '/y');
  assert.deepEqual(binds, [
    ['/x', 'rbind,ro,rprivate'],
    ['/y', 'rbind,ro,rro,rprivate'],
  ]);
});
