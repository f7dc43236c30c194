/** Settings of more namespaces than one procfs of the process is used for, compared with what sysctl(8) shows. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { PrivateProc } from '../src/system/private-proc.ts';

const host = inFreshHost(import.meta.url);

const numbers = Array.from({ length: 70 }, (_, index) => index);
const key = 'net.ipv4.conf.lo.forwarding';
const pathOf = (number: number): string => `/run/netns/n${number}`;

test('each of many namespaces has its own value, and the host keeps its own', host, async () => {
  const kernel = openKernel();
  sh(`for n in ${numbers.join(' ')}; do ip netns add n$n; done; sysctl -qw ${key}=0`);
  const objects = numbers.map((number) => ({
    ...({ kind: 'sysctl', key, ns: pathOf(number) } as const),
    value: String(number % 2),
  }));
  try {
    await kernel.apply({ owner: 'test', objects });
    const shown = sh(`for n in ${numbers.join(' ')}; do ip netns exec n$n sysctl -n ${key}; done`)
      .trim()
      .split('\n');
    assert.deepEqual(
      shown,
      objects.map(({ value }) => value),
    );
    const read = await Promise.all(numbers.map((number) => kernel.readSysctl(key, pathOf(number))));
    assert.deepEqual(read, shown);
    assert.equal(await kernel.readSysctl(key), '0');
    sh(`ip netns delete n1; ip netns add n1; ip netns exec n1 sysctl -qw ${key}=0`);
    assert.equal(await kernel.readSysctl(key, pathOf(1)), '0', 'a new namespace under the same path');
    const [drifted] = await kernel.observe(objects.slice(1, 2));
    assert.deepEqual(drifted, { state: 'different', found: '0' });
  } finally {
    kernel.close();
  }
});

test('a procfs of its own is replaced after some namespaces, and is no mount of the process', host, () => {
  const proc = new PrivateProc();
  const mounts = sh('cat /proc/self/mounts');
  const folderOf = (number: number): string => `${proc.folderFor(pathOf(number))}/sys/net`;
  const deviceOf = (number: number): number => statSync(folderOf(number)).dev;
  // An open folder keeps its procfs: otherwise the next one could get the device number of one that has ended.
  const folders = numbers.map((number) => openSync(folderOf(number), 'r'));
  const devices = new Set(folders.map((folder) => fstatSync(folder).dev));
  assert.equal(devices.size, 3, '70 namespaces, 32 for each');
  assert.ok(!devices.has(statSync('/proc').dev));
  assert.equal(deviceOf(69), deviceOf(69));
  assert.equal(sh('cat /proc/self/mounts'), mounts);
  folders.forEach(closeSync);
  proc.close();
});

test("settings of the own namespace are reached outside of the host's /proc", host, async () => {
  const kernel = openKernel();
  sh(`sysctl -qw ${key}=0; mount -t tmpfs none /proc/sys/net`);
  try {
    const objects = [{ kind: 'sysctl', key, value: '1' } as const];
    await kernel.apply({ owner: 'test', objects });
    assert.equal(await kernel.readSysctl(key), '1');
    sh('umount /proc/sys/net');
    assert.equal(sh(`sysctl -n ${key}`).trim(), '1');
  } finally {
    kernel.close();
    sh('umount /proc/sys/net 2> /dev/null || true');
  }
});
