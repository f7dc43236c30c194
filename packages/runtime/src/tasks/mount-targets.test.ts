import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { OciMount } from '../oci.ts';
import { resolveMounts } from './mount-targets.ts';

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
  ['root/broken', '/nowhere'],
  ['root/first', 'second/in'],
  ['root/second', '/x/../y'],
  ['root/srv/climb', '../../../../up'],
  ['volume/broken', '../elsewhere'],
  ['volume/out', '/proc'],
  ['volume/deep/up', '../../proc/bus'],
] as const)
  symlinkSync(target, join(folder, link));
after(() => rmSync(folder, { recursive: true }));

const bind = (source: string, destination: string): OciMount => ({ type: 'bind', source, destination, options: [] });
const tmpfs = (destination: string): OciMount => ({ type: 'tmpfs', source: 'tmpfs', destination, options: [] });

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
      assert.throws(() => resolveMounts(root, [mount]), /cannot be mounted because it is inside \/proc/, target);
  }
  for (const target of ['/proc', '/relative', '/srv/../proc/.'])
    assert.throws(() => resolveMounts(root, [bind('/tmp', target)]), /is not of type proc/, target);
  assert.throws(() => resolveMounts(root, [bind('/tmp', '/loop/x')]), /too many symbolic links/);
});

test('links inside earlier mounts are followed as well', () => {
  for (const [target, expected] of [
    ['/data/out', /is not of type proc/],
    ['/data/out/sys/kernel', /inside \/proc/],
    ['/data/deep/up', /inside \/proc/],
  ] as const)
    assert.throws(() => resolveMounts(root, [bind(volume, '/data'), bind('/tmp', target)]), expected, target);
  resolveMounts(root, [bind(volume, '/data'), bind('/tmp', '/data/deep/new')]);
  resolveMounts(root, [bind(volume, '/data'), bind('/srv', '/data'), bind('/tmp', '/data/out')]);
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
    resolveMounts(root, [mount]);
});

test('destinations are resolved through dangling links, in the order of the mounts', () => {
  const resolved = (...mounts: OciMount[]) => resolveMounts(root, mounts).map(({ destination }) => destination);
  assert.deepEqual(resolved(bind('/tmp', '/broken'), bind('/tmp', '/broken/sub')), ['/nowhere', '/nowhere/sub']);
  assert.deepEqual(resolved(tmpfs('/first')), ['/y/in']);
  assert.deepEqual(resolved(tmpfs('/srv/climb')), ['/up']);
  assert.deepEqual(resolved(bind(volume, '/data'), tmpfs('/data/broken')), ['/data', '/elsewhere']);
  assert.deepEqual(resolved(tmpfs('/srv'), tmpfs('/srv/climb')), ['/srv', '/srv/climb'], 'a tmpfs hides the link');
});
