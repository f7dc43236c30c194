import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TaskMount } from '@netyard/engine';
import { checkMountTargets } from './mount-targets.ts';

const folder = mkdtempSync(join(tmpdir(), 'netyard-targets-'));
const root = join(folder, 'root');
const volume = join(folder, 'volume');
for (const made of ['root/proc', 'root/srv', 'volume/deep']) mkdirSync(join(folder, made), { recursive: true });
for (const [link, target] of [
  ['root/absolute', '/proc/sys'],
  ['root/relative', 'srv/../proc'],
  ['root/above', '../../../../proc/irq'],
  ['root/chain', 'absolute/kernel'],
  ['root/loop', 'loop'],
  ['volume/out', '/proc'],
  ['volume/deep/up', '../../proc/bus'],
] as const)
  symlinkSync(target, join(folder, link));
after(() => rmSync(folder, { recursive: true }));

const bind = (source: string, target: string): TaskMount => ({ type: 'bind', source, target, options: [] });
const tmpfs = (target: string): TaskMount => ({ type: 'tmpfs', source: 'tmpfs', target, options: [] });

test('a destination inside /proc is rejected, whatever links lead there', () => {
  const inside = [
    '/proc/sys',
    '/proc//acpi/',
    '/srv/../proc/fs',
    '/absolute',
    '/relative/sys',
    '/above',
    '/chain',
    '/chain/x',
  ];
  for (const target of inside) {
    for (const mount of [bind('/tmp', target), tmpfs(target)])
      assert.throws(() => checkMountTargets(root, [mount]), /cannot be mounted because it is inside \/proc/, target);
  }
  for (const target of ['/proc', '/relative', '/srv/../proc/.'])
    assert.throws(() => checkMountTargets(root, [bind('/tmp', target)]), /is not of type proc/, target);
  assert.throws(() => checkMountTargets(root, [bind('/tmp', '/loop/x')]), /too many symbolic links/);
});

test('links inside earlier mounts are followed as well', () => {
  for (const [target, expected] of [
    ['/data/out', /is not of type proc/],
    ['/data/out/sys/kernel', /inside \/proc/],
    ['/data/deep/up', /inside \/proc/],
  ] as const)
    assert.throws(() => checkMountTargets(root, [bind(volume, '/data'), bind('/tmp', target)]), expected, target);
  checkMountTargets(root, [bind(volume, '/data'), bind('/tmp', '/data/deep/new')]);
  checkMountTargets(root, [bind(volume, '/data'), bind('/srv', '/data'), bind('/tmp', '/data/out')]);
});

test('what runc mounts is accepted: proc itself, files that lxcfs replaces, names with the same prefix', () => {
  for (const mount of [
    bind('/proc', '/proc'),
    bind('/etc/hosts', '/proc/cpuinfo'),
    bind('/etc/hosts', '/proc/net/dev'),
    bind('/tmp', '/process'),
    bind('/tmp', '/sys/fs/x'),
    tmpfs('/srv/proc'),
  ])
    checkMountTargets(root, [mount]);
});
