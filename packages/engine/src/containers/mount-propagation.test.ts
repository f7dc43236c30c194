import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountPropagations } from '@netyard/kernel';
import type { ResolvedMount } from '../model.ts';
import { withPropagation } from './mount-propagation.ts';

const mounts = parseMountPropagations(`21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 21 0:20 / /srv rw - tmpfs none rw
31 21 0:21 / /srv/shared rw,relatime shared:7 - tmpfs none rw
32 31 0:22 / /srv/shared/a\\040b rw master:7 - tmpfs none rw
33 21 0:23 / /over rw shared:8 - tmpfs none rw
34 33 0:24 / /over rw - tmpfs none rw
`);

const bind = (source: string, propagation: string): ResolvedMount => ({
  ...{ type: 'bind', source, target: '/x', mode: '', readOnly: false, propagation, options: [] },
});
const check = (source: string, propagation: string): ResolvedMount =>
  withPropagation(bind(source, propagation), source, mounts);

test('a bind is shared or a slave only if the mount of its source is', () => {
  check('/srv/shared', 'rshared');
  check('/srv/shared/folder', 'slave');
  check('/srv/shared/a b/c', 'rslave');
  const cases: [string, string, string][] = [
    ['/srv/folder', 'rslave', 'path /srv/folder is mounted on /srv but it is not a shared or slave mount'],
    ['/srv/sharedness', 'shared', 'path /srv/sharedness is mounted on /srv but it is not a shared mount'],
    ['/srv/shared/a b', 'rshared', 'path /srv/shared/a b is mounted on /srv/shared/a b but it is not a shared mount'],
    ['/etc', 'rshared', 'path /etc is mounted on / but it is not a shared mount'],
    ['/over/x', 'slave', 'path /over/x is mounted on /over but it is not a shared or slave mount'],
  ];
  for (const [source, propagation, message] of cases) assert.throws(() => check(source, propagation), { message });
});

test('a bind that is a slave by default is private where the mount of its source has no propagation', () => {
  const byDefault = (source: string): string =>
    withPropagation({ ...bind(source, 'rslave'), isDefaultPropagation: true }, source, mounts).propagation;
  assert.equal(byDefault('/'), 'rprivate');
  assert.equal(byDefault('/srv/shared'), 'rslave');
  assert.equal(byDefault('/srv/shared/a b'), 'rslave');
});
