import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeFifo } from '@netyard/kernel';
import { readContainerFile } from '../src/container-file.ts';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { addressesInHostsFile } from '../src/ends.ts';
import { serversIn } from '../src/name-query.ts';
import { hostWith } from './host-fixture.ts';

function makeRoot(context: TestContext): { root: string; outside: string; hosts: string } {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-root-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const root = join(folder, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(folder, 'outside'), 'of the host');
  return { root, outside: join(folder, 'outside'), hosts: join(root, 'etc/hosts') };
}

test('a file, and a link to one, are read inside the root', (context) => {
  const { root, hosts } = makeRoot(context);
  writeFileSync(join(root, 'etc/real'), '10.0.0.2 db\n');
  symlinkSync('/etc/real', hosts);
  assert.equal(readContainerFile(root, '/etc/hosts'), '10.0.0.2 db\n');
  assert.equal(readContainerFile(root, '/etc/absent'), undefined);
});

test('no link leads out of the root', (context) => {
  const { root, outside, hosts } = makeRoot(context);
  symlinkSync(outside, hosts);
  symlinkSync('../../outside', join(root, 'etc/resolv.conf'));
  for (const path of ['/etc/hosts', '/etc/resolv.conf', '/../outside'])
    assert.equal(readContainerFile(root, path), undefined, path);
});

test('FIFOs, directories, devices and long files are not read', (context) => {
  const { root, hosts } = makeRoot(context);
  makeFifo(hosts);
  writeFileSync(join(root, 'etc/long'), '');
  truncateSync(join(root, 'etc/long'), 64 * 1024 ** 3);
  for (const path of ['/etc/hosts', '/etc', '/etc/long']) assert.equal(readContainerFile(root, path), undefined, path);
  assert.equal(readContainerFile('/', '/dev/zero'), undefined);
});

test('a FIFO in place of a hosts file does not keep diagnose waiting', async (context) => {
  const { hosts } = makeRoot(context);
  makeFifo(hosts);
  const topology = hostWith([{ name: 'web', network: 'bridge', address: '172.17.0.3', rest: { hostsPath: hosts } }]);
  assert.ok((await diagnose(topology, 'web')).some(({ check }) => check === 'state'));
});

test('hosts files and resolv.conf give addresses only', () => {
  assert.deepEqual(addressesInHostsFile('\u001b]0;x db\n;reboot db\n10.0.0.2 db\n', 'db'), ['10.0.0.2']);
  assert.deepEqual(serversIn('nameserver abc\nnameserver 1.2.3\nnameserver 10.0.0.1\n'), ['10.0.0.1']);
});
