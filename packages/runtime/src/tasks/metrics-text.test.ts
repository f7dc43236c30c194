import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupFolder, parseCgroupMounts } from './cgroups.ts';
import { blockCounters, flatKeyed, ioStat, limitOf, numbersOf } from './metrics-text.ts';

test('a limit is a number, or none', () => {
  const total = 8 << 20;
  assert.equal(limitOf('1048576\n', total), 1048576);
  for (const none of ['max\n', '', undefined, '9223372036854771712\n']) assert.equal(limitOf(none, total), total);
  assert.equal(limitOf('50\n', 0), 50);
  assert.equal(limitOf('max\n', 0), 0);
});

test('keyed files are parsed', () => {
  assert.deepEqual(flatKeyed('cache 4096\nrss 0\n'), { cache: 4096, rss: 0 });
  assert.deepEqual(flatKeyed(''), {});
  assert.deepEqual(numbersOf('12 34 \n'), [12, 34]);
});

test('bytes read and written are summed by device', () => {
  assert.deepEqual(blockCounters('8:0 Read 4096\n8:0 Write 1\n8:0 Total 4097\nTotal 4097\n'), [
    { major: 8, minor: 0, op: 'Read', value: 4096 },
    { major: 8, minor: 0, op: 'Write', value: 1 },
    { major: 8, minor: 0, op: 'Total', value: 4097 },
  ]);
  assert.deepEqual(ioStat('254:0 rbytes=4096 wbytes=8192 rios=1 wios=2\n\n'), [
    { major: 254, minor: 0, op: 'read', value: 4096 },
    { major: 254, minor: 0, op: 'write', value: 8192 },
  ]);
});

const line = (mountPoint: string, type: string, options: string): string =>
  `30 20 0:26 / ${mountPoint} rw,relatime - ${type} cgroup ${options}`;

test('cgroup mounts are v1, v1 with v2 beside it, or v2', () => {
  const first = [
    line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
    line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,name=systemd'),
  ].join('\n');
  const hybrid = `${first}\n${line('/sys/fs/cgroup/unified', 'cgroup2', 'rw')}`;
  const mounts = parseCgroupMounts(first);
  assert.deepEqual([mounts.version, mounts.unified], ['1', undefined]);
  assert.equal(cgroupFolder(mounts, 'cpuacct', '/netyard/x'), '/sys/fs/cgroup/cpu,cpuacct/netyard/x');
  assert.equal(cgroupFolder(mounts, 'memory', '/netyard/x'), undefined);
  assert.deepEqual(
    [parseCgroupMounts(hybrid).version, parseCgroupMounts(hybrid).unified],
    ['1', '/sys/fs/cgroup/unified'],
  );
  const second = parseCgroupMounts(line('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate'));
  assert.equal(second.version, '2');
  assert.equal(cgroupFolder(second, 'memory', '/netyard/x'), '/sys/fs/cgroup/netyard/x');
});
