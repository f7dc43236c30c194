import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipToBytes, parseIp, parsePrefix, prefixContains, prefixesOverlap } from '@netyard/core';
import type { KernelEvent } from '@netyard/kernel';
import { KernelObserver, type ObservedKernel } from './kernel-observer.ts';
import { type ClusterSamples, formatCluster } from './report.ts';
import { labSwitch, mostHosts, ownBip, pool, simulatedHost, simulatedHosts } from './simulated-hosts.ts';

test('every simulated host has its own name, address on the switch and subnet of the pool, none of them the daemon’s', () => {
  const hosts = simulatedHosts(1, mostHosts);
  for (const key of ['name', 'address', 'subnet'] as const)
    assert.equal(new Set(hosts.map((host) => host[key])).size, mostHosts, key);
  for (const { address, subnet } of hosts) {
    assert.ok(prefixContains(parsePrefix(labSwitch), parseIp(address)), address);
    assert.ok(prefixesOverlap(parsePrefix(pool.subnet), parsePrefix(subnet)), subnet);
    assert.ok(!prefixesOverlap(parsePrefix(ownBip), parsePrefix(subnet)), subnet);
  }
  assert.throws(() => simulatedHost(0), RangeError);
  assert.throws(() => simulatedHost(mostHosts + 1), RangeError);
});

test('a host is present once its route and its element exist, and absent once both are deleted', async () => {
  const host = simulatedHost(7);
  const keys = [ipToBytes(parseIp(host.address))];
  const route = (action: 'new' | 'del'): KernelEvent => ({ type: 'route', action, to: host.subnet, protocol: 78 });
  const element = (action: 'new' | 'del'): KernelEvent =>
    ({ ...{ type: 'nft', action, what: 'element', table: 'netyard' }, set: 'tunnel_peers', keys }) as const;
  const steps: string[] = [];
  async function* events(): AsyncGenerator<KernelEvent> {
    const events = {
      element: element('new'),
      route: route('new'),
      'no route': route('del'),
      'no element': element('del'),
    };
    for (const [step, event] of Object.entries(events)) {
      steps.push(step);
      yield event;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const kernel: ObservedKernel = { watch: events, listRoutes: async () => [], listNftElements: async () => [] };
  const observer = new KernelObserver(kernel);
  const present = observer.until('present', [host], 0).then(() => steps.join());
  const following = observer.follow(new AbortController().signal);
  assert.equal(await present, 'element,route');
  const absent = observer.until('absent', [host], 0).then(() => steps.join());
  await following;
  assert.equal(await absent, 'element,route,no route,no element');
});

test('after lost events the kernel’s state is listed', async () => {
  const host = simulatedHost(1);
  async function* events(): AsyncGenerator<KernelEvent> {
    yield { type: 'resync' };
  }
  const observer = new KernelObserver({
    watch: events,
    listRoutes: async () => [
      { family: 4, to: host.subnet, table: 254, protocol: 78 },
      { family: 4, to: '10.99.0.0/24', table: 254, protocol: 2 },
    ],
    listNftElements: async () => [{ key: host.address }],
  });
  await observer.follow(new AbortController().signal);
  assert.ok((await observer.until('present', [host], performance.now())) >= 0);
  assert.equal(observer.count, 1, 'only ours');
});

test('many hosts are compared with few, the kernel package alone is reported, memory is per host', () => {
  const both = (few: number, many: number) => ({ few: [few], many: [many] });
  const samples: ClusterSamples = {
    ...{ few: 10, many: 1024, all: [1000], allWritten: [800], allAlone: [500], batch: [250] },
    ...{ join: both(10, 11), leave: both(10, 30), joinAlone: both(2, 3), leaveAlone: both(2, 8), etcd: [4] },
    memory: { before: 90, after: 100 },
  };
  const lines = formatCluster(samples).split('\n');
  const line = (...starts: string[]): string =>
    lines.find((one) => starts.every((part) => one.includes(part))) ?? assert.fail(starts.join());
  assert.match(line('one host joins', 'of 10 '), / 1\.10 +≤ 1\.20 +yes +1$/);
  assert.match(line('one host leaves'), / 3\.00 +≤ 1\.20 +NO +1$/);
  assert.match(line('hosts at once', 'ip -batch'), / 4\.00 +- +1$/);
  assert.match(line('alone: leaves'), / 4\.00 +- +1$/);
  assert.match(line('Memory'), /10\.0 KiB for each/);
});
