/** Which drops become entries, and with which names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, silentLogger } from '@netyard/core';
import type { DropCount } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import type { JournalEntry } from '../entry.ts';
import { namesOfHostLink } from './drop-places.ts';
import { DropRecorder, type DropSource } from './drop-recorder.ts';

const webId = 'a'.repeat(64);
const inodes: Readonly<Record<string, number>> = { '/proc/self/ns/net': 1, '/ns/web': 2, '/ns/pod': 3 };
const links: Readonly<Record<string, string>> = {
  '/proc/self/ns/net': 'docker0',
  '/ns/web': 'eth0',
  '/ns/pod': 'eth0',
};
const endpoint = { hostLink: 'ny-1', networkName: 'bridge' };
const networks = {
  list: () => [{ id: 'b'.repeat(64), name: 'bridge', options: { 'com.docker.network.bridge.name': 'docker0' } }],
  uses: () => [
    { containerId: webId, containerName: 'web', endpoint },
    { containerId: 'pod-id', containerName: 'pod', endpoint },
  ],
  state: (id: string) => (id === webId ? { id: 'run-1', netnsPath: '/ns/web' } : undefined),
  endpoints: { list: () => [{ id: 'pod-id', name: 'pod', netnsPath: '/ns/pod', endpoint }] },
} as unknown as Networks;

const count = (namespace: number, linkIndex: number, packets: number, reason = 'NETFILTER_DROP'): DropCount => ({
  ...{ namespace, linkIndex, packets, reason },
});

/** Entries as `OBJECT  TEXT  NAMES` after one sample each ten seconds. */
async function record(
  samples: readonly DropCount[][],
  open?: DropSource['open'],
): Promise<{ entries: string[]; closed: number }> {
  const entries: Omit<JournalEntry, 'time'>[] = [];
  let now = 0n;
  const clock: Clock = { now: () => now };
  const rest = [...samples];
  let closed = 0;
  const close = (): void => {
    closed += 1;
  };
  const source: DropSource = {
    open: open ?? (() => ({ take: () => rest.shift() ?? [], close })),
    inodeOf: (path) => inodes[path],
    linkNames: (path) => new Map([[2, links[path] ?? '']]),
  };
  const recorder = new DropRecorder({
    ...{ source, networks, clock, logger: silentLogger, note: (entry) => void entries.push(entry) },
  });
  await recorder.sample();
  for (const _ of samples) {
    now += 10_000_000_000n;
    await recorder.sample();
  }
  await recorder.close();
  return { entries: entries.map(({ object, text, names }) => `${object}  ${text}  ${names.join(' ')}`), closed };
}

test('drops are named with the container, the endpoint or the network, and those of others are left out', async () => {
  const { entries, closed } = await record([
    [count(1, 2, 5), count(2, 2, 12), count(2, 2, 3, 'SOCKET_RCVBUFF'), count(3, 9, 4), count(99, 2, 50)],
    [count(2, 0, 6)],
  ]);
  assert.deepEqual(entries, [
    `host  docker0: 5 NETFILTER_DROP in 10 s  docker0 bridge ${'b'.repeat(64)}`,
    `container web  eth0: 12 NETFILTER_DROP, 3 SOCKET_RCVBUFF in 10 s  web ${webId} bridge eth0`,
    'endpoint pod  if9: 4 NETFILTER_DROP in 10 s  pod pod-id bridge if9',
    `container web  6 NETFILTER_DROP in 10 s  web ${webId} bridge`,
  ]);
  assert.equal(closed, 1);
});

test('drops on a segment of a network are those of the network', () => {
  const names = ['bridge', 'b'.repeat(64)];
  for (const link of ['nybbbbbbbbbbb01', 'nytbbbbbbbbbb01', 'nyubbbbbbbbbb0z'])
    assert.deepEqual(namesOfHostLink(networks, link), names, link);
  assert.deepEqual(namesOfHostLink(networks, 'nybcccccccccc01'), []);
});

test('many reasons are summed up, and what was not due is written at the end', async () => {
  const many = Array.from({ length: 12 }, (_, index) => count(2, 2, 20 - index, `REASON_${index}`));
  const { entries } = await record([many, [count(2, 2, 7, 'REASON_0')]]);
  assert.match(entries[0] ?? '', /20 REASON_0, .*13 REASON_7, 42 for other reasons in 10 s/);
  assert.match(entries[1] ?? '', /eth0: 7 REASON_0 in 10 s/);
});

test('a kernel that does not count says so once', async () => {
  const { entries } = await record([[], []], () => {
    throw new Error('this kernel does not describe its types (BTF)');
  });
  assert.deepEqual(entries, [
    'host  dropped packets are not recorded: this kernel does not describe its types (BTF)  ',
  ]);
});
