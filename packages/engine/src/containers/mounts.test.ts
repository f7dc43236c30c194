/** The mode of mounts in inspect, as dockerd has it: what -v has after the second colon, `z` for requested volumes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainConfig } from '../default-config.ts';
import type { ContainerConfig, ContainerRecord, MountRequest } from '../model.ts';
import { planMounts } from './mounts.ts';

const bind = (target: string, options: Partial<MountRequest> = {}): MountRequest => ({
  ...{ type: 'bind', source: '/tmp', target, readOnly: false, ...options },
});
const volume = (target: string, options: Partial<MountRequest> = {}): MountRequest => ({
  ...{ type: 'volume', source: 'data', target, readOnly: false, ...options },
});
const plan = (changes: Partial<ContainerConfig>, found?: Pick<ContainerRecord, 'mounts'>) =>
  planMounts(plainConfig('image', changes), '/var/lib/netyard', () => found as ContainerRecord).map(
    ({ mount }) => mount,
  );
const modes = (changes: Partial<ContainerConfig>): string[] => plan(changes).map(({ mode }) => mode);

test('a bind has the mode that was given, and none from options of --mount', () => {
  assert.deepEqual(
    modes({
      mounts: [
        bind('/a', { mode: 'rshared,Z', propagation: 'rshared' }),
        bind('/b', { readOnly: true }),
        bind('/c', { propagation: 'rslave' }),
      ],
    }),
    ['rshared,Z', '', ''],
  );
});

test('a requested volume without a mode has z, a volume of the image none', () => {
  const mounts = [volume('/a'), volume('/b', { readOnly: true }), volume('/c', { mode: 'ro,nocopy', readOnly: true })];
  assert.deepEqual(modes({ mounts, volumes: ['/d'] }), ['z', 'z', 'ro,nocopy', '']);
});

test('an inherited mount has no mode, and is read-only by its own mode or by that of --volumes-from', () => {
  const mounts = plan({ mounts: [volume('/a'), bind('/b', { mode: 'ro', readOnly: true })] });
  const inherit = (mode: string) =>
    plan({ volumesFrom: [`source${mode}`] }, { mounts }).map((mount) => [mount.mode, mount.readOnly]);
  const writable = [
    ['', false],
    ['', true],
  ];
  for (const mode of ['', ':', ':z', ':rw,cached']) assert.deepEqual(inherit(mode), writable, mode);
  assert.deepEqual(inherit(':ro,Z'), [
    ['', true],
    ['', true],
  ]);
  for (const mode of ['ro,rw', 'z,Z', 'ro,', 'rslave', 'nocopy', 'odd'])
    assert.throws(() => inherit(`:${mode}`), { message: `invalid mode: ${mode}` });
});

test('a bind that contains the data root, or is in it, is a slave unless it requests something else', () => {
  const propagationOf = (source: string, requested: Partial<MountRequest> = {}): string | undefined =>
    plan({ mounts: [bind('/x', { source, ...requested })] })[0]?.propagation;
  for (const source of ['/', '/var', '/var/lib/netyard', '/var/lib/netyard/volumes/a'])
    assert.equal(propagationOf(source), 'rslave', source);
  for (const source of ['/usr', '/var/lib/net', '/var/lib/netyard2'])
    assert.equal(propagationOf(source), 'rprivate', source);
  assert.equal(propagationOf('/', { propagation: 'rprivate' }), 'rprivate');
});
