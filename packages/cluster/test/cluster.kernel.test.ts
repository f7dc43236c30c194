/** Members of clusters on one real etcd: joining, leaving, rejoining, and rejected joins. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatPrefix, isNetyardError } from '@netyard/core';
import { inFreshHost, sh } from '@netyard/testkit';
import { hostAddresses } from '../src/address.ts';
import { expireLease, openHost, others, subnetOf, until } from './members.ts';
import { type PrivateEtcd, startEtcd } from './private-etcd.ts';

const host = inFreshHost(import.meta.url);
let etcd: PrivateEtcd;
before(async () => {
  if (host.skip === false) etcd = await startEtcd();
});
after(async () => await etcd?.[Symbol.asyncDispose]());

/** Each test uses a cluster of its own on the one etcd. */
const at = (name: string): { url: string } => ({ url: `${etcd.url}/${name}` });
const keys = (cluster: string): string[] =>
  etcd
    .etcdctl('get', '--prefix', '--keys-only', `/netyard/${cluster}/`)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice(`/netyard/${cluster}/`.length));
const refused = (code: 'conflict' | 'invalid' | 'not-found', pattern: RegExp) => (error: unknown) =>
  isNetyardError(error, code) && pattern.test(`${error.message}\n${error.hint ?? ''}`);

test('two hosts see each other, their subnets and their names', host, async () => {
  await using one = await openHost(etcd, 'server1', at('a'));
  await using two = await openHost(etcd, 'server2', at('a'));
  await until(one, 'server2', () => others(one).includes('server2'));
  assert.deepEqual(others(two), ['server1'], 'known from the first list');
  assert.notEqual(subnetOf(one), subnetOf(two));
  assert.match(subnetOf(one), /^192\.168\.\d+\.0\/24$/);
  const seen = one.cluster.hosts().find(({ name }) => name === 'server2');
  assert.deepEqual(
    { ...seen, since: 0n },
    { name: 'server2', address: '172.16.2.2', subnets: [subnetOf(two)], since: 0n, self: false },
  );

  const web = { name: 'web', containerId: 'c1', address: '192.168.9.2' };
  one.cluster.publish([web, { ...web, name: 'db', address: '192.168.9.3' }]);
  await until(two, 'names', () => two.cluster.names().length === 2);
  one.cluster.publish([{ ...web, address: '192.168.9.4' }]);
  await until(
    two,
    'the new address',
    () =>
      two.cluster
        .names()
        .map(({ address }) => address)
        .join() === '192.168.9.4',
  );
  assert.deepEqual(two.cluster.names(), [{ host: 'server1', ...web, address: '192.168.9.4' }]);
  assert.deepEqual(one.cluster.names(), two.cluster.names());
});

test('hosts of IPv4 and IPv6 addresses are members of one cluster', host, async () => {
  const six = { ...at('mixed'), address: '2001:DB8:0::2', api: [{ address: '::', port: 2376 }] };
  await using one = await openHost(etcd, 'server1', at('mixed'));
  await using two = await openHost(etcd, 'server2', six);
  await until(one, 'server2', () => others(one).includes('server2'));
  const seen = one.cluster.hosts().find(({ name }) => name === 'server2');
  assert.deepEqual([seen?.address, seen?.api], ['2001:db8::2', 'https://[2001:db8::2]:2376']);
  assert.equal(two.cluster.hosts().find(({ self }) => self)?.address, '2001:db8::2');
  assert.equal(two.cluster.hosts().find(({ self }) => !self)?.address, '172.16.2.1');
  assert.deepEqual(one.cluster.problems(), []);
});

test(
  "this host's addresses of both families are found; without an IPv4 route, the IPv6 source address",
  host,
  async () => {
    assert.equal(await hostAddresses.uplink(), undefined);
    sh(`ip link add up0 type bridge; ip link set up0 up; ip address add 2001:db8::1/64 dev up0 nodad
    ip address add 2001:db8::9/64 dev up0 nodad preferred_lft 0
    ip -6 route add default via 2001:db8::fe dev up0`);
    assert.equal(await hostAddresses.uplink(), '2001:db8::1');
    const found = hostAddresses.prefixes().map((prefix) => `${formatPrefix(prefix)} ${prefix.transient ?? false}`);
    assert.deepEqual(found.toSorted(), ['2001:db8::1/64 false', '2001:db8::9/64 true']);
    sh('ip address add 192.0.2.1/24 dev up0; ip route add default via 192.0.2.254');
    assert.equal(await hostAddresses.uplink(), '192.0.2.1');
    sh('ip link delete up0');
  },
);

test('a host that rejoins keeps its subnet, names and start time; one that leaves keeps nothing', host, async () => {
  await using watcher = await openHost(etcd, 'server9', at('b'));
  const first = await openHost(etcd, 'server1', at('b'));
  const subnet = subnetOf(first);
  first.cluster.publish([{ name: 'web', containerId: 'c1', address: '192.168.9.2' }]);
  await until(watcher, 'the name', () => watcher.cluster.names().length === 1);
  const since = first.cluster.hosts()[0]?.since;
  await first.cluster.close();
  watcher.reported.length = 0;

  await using again = await openHost(etcd, 'server1', at('b'));
  assert.equal(subnetOf(again), subnet);
  assert.equal(again.cluster.hosts()[0]?.since, since);
  assert.equal(watcher.cluster.names().length, 1, 'nothing was removed meanwhile');
  again.cluster.publish([]);
  await until(watcher, 'no name', () => watcher.cluster.names().length === 0);
  assert.deepEqual(
    watcher.reported.map(({ type }) => type),
    ['name'],
  );

  await again.cluster.leave();
  await until(watcher, 'server1 gone', () => others(watcher).length === 0);
  assert.equal(again.cluster.view().connection, 'left');
  assert.deepEqual(others(again), []);
  assert.deepEqual(
    keys('b')
      .filter((key) => key !== 'config')
      .map((key) => key.replace(/\/.*/, '')),
    ['hosts', 'subnets'],
  );
  await assert.rejects(again.cluster.leave(), refused('conflict', /has left cluster b/));
  await watcher.cluster.leave();
  assert.deepEqual(keys('b'), [], 'the last host to leave deletes the pool');
});

test(
  'a lost state folder costs no subnet twice: the identity is new, and the old subnet stays reserved',
  host,
  async () => {
    const first = await openHost(etcd, 'server1', at('c'));
    const subnet = subnetOf(first);
    await first.cluster.close();
    await using watcher = await openHost(etcd, 'server2', at('c'));
    expireLease(etcd, '/netyard/c/hosts/server1');
    await until(watcher, 'the lease has run out', () => others(watcher).length === 0);
    assert.deepEqual(watcher.cluster.reservations(), [{ subnet, host: 'server1', address: '172.16.2.1' }]);
    await using fresh = await openHost(etcd, 'server1', { ...at('c'), folder: join(etcd.folder, 'other') });
    assert.notEqual(subnetOf(fresh), subnet);
    await assert.rejects(watcher.cluster.release('server1'), refused('conflict', /is a member, at 172\.16\.2\.1/));
  },
);

test('subnets reserved for a former host can be released', host, async () => {
  const first = await openHost(etcd, 'server1', at('d'));
  const subnet = subnetOf(first);
  await first.cluster.close();
  await using watcher = await openHost(etcd, 'server2', at('d'));
  expireLease(etcd, '/netyard/d/hosts/server1');
  await until(watcher, 'the lease has run out', () => others(watcher).length === 0);
  await assert.rejects(watcher.cluster.release('server7'), refused('not-found', /server7/));
  assert.deepEqual(await watcher.cluster.release('server1'), [subnet]);
  assert.deepEqual(keys('d').filter((key) => key.startsWith('subnets/')).length, 1);
});

test('two clusters on one etcd are independent', host, async () => {
  await using one = await openHost(etcd, 'server1', at('e'));
  await using same = await openHost(etcd, 'server1', {
    ...at('e2'),
    folder: join(etcd.folder, 'e2'),
    pool: { subnet: '10.9.0.0/16' },
  });
  one.cluster.publish([{ name: 'web', containerId: 'c1', address: '192.168.9.2' }]);
  while (!keys('e').some((key) => key.startsWith('names/'))) await sleep(20);
  assert.deepEqual(others(same), []);
  assert.deepEqual(same.cluster.names(), []);
  assert.match(subnetOf(same), /^10\.9\./);
});

test('a host with another pool is rejected', host, async () => {
  await using _one = await openHost(etcd, 'server1', { ...at('f'), pool: { subnet: '10.7.0.0/16', subnetSize: 26 } });
  await using two = await openHost(etcd, 'server2', at('f'));
  assert.match(subnetOf(two), /^10\.7\.\d+\.\d+\/26$/, 'a host without a configured pool uses the cluster’s');
  await assert.rejects(
    openHost(etcd, 'server3', { ...at('f'), pool: { subnet: '10.8.0.0/16' } }),
    refused(
      'conflict',
      /cluster f has 10\.7\.0\.0\/16 with subnets of \/26; this host is configured with 10\.8\.0\.0\/16/,
    ),
  );
  await assert.rejects(
    openHost(etcd, 'server3', { ...at('f'), pool: { subnetSize: 24 } }),
    refused('conflict', /configured with 10\.7\.0\.0\/16 with subnets of \/24/),
  );
  assert.deepEqual(
    keys('f').filter((key) => key.includes('server3')),
    [],
    'nothing was written',
  );
});

test('a full pool is reported with the former hosts that still reserve a subnet', host, async () => {
  const pool = { subnet: '10.6.0.0/23', subnetSize: 24 };
  await using one = await openHost(etcd, 'server1', { ...at('g'), pool });
  const two = await openHost(etcd, 'server2', { ...at('g'), pool });
  await assert.rejects(
    openHost(etcd, 'server3', at('g')),
    refused('conflict', /10\.6\.0\.0\/23 is full: none of its 2 subnets of \/24 is free\n.*cluster leave/),
  );
  await until(one, 'server2', () => others(one).length === 1);
  await two.cluster.close();
  expireLease(etcd, '/netyard/g/hosts/server2');
  await until(one, 'server2 gone', () => others(one).length === 0);
  await assert.rejects(openHost(etcd, 'server3', at('g')), refused('conflict', /server2 holds one but is gone/));
  await one.cluster.release('server2');
  await using three = await openHost(etcd, 'server3', at('g'));
  assert.notEqual(subnetOf(three), subnetOf(one));
});

test('a required subnet is assigned, or its owner is named', host, async () => {
  await using one = await openHost(etcd, 'server1', { ...at('h'), requiredSubnet: '192.168.11.0/24' });
  assert.equal(subnetOf(one), '192.168.11.0/24');
  await assert.rejects(
    openHost(etcd, 'server2', { ...at('h'), requiredSubnet: '192.168.11.0/24' }),
    refused('conflict', /192\.168\.11\.0\/24 belongs to host server1 at 172\.16\.2\.1/),
  );
  await assert.rejects(
    openHost(etcd, 'server2', { ...at('h'), requiredSubnet: '10.0.0.0/24' }),
    refused('conflict', /10\.0\.0\.0\/24/),
  );
  await one.cluster.close();
  await using moved = await openHost(etcd, 'server1', { ...at('h'), requiredSubnet: '192.168.12.0/24' });
  assert.equal(subnetOf(moved), '192.168.12.0/24');
  assert.deepEqual(
    keys('h').filter((key) => key.startsWith('subnets/')),
    ['subnets/192.168.12.0-24'],
    'the former one is free',
  );
});

test('a host announces its API to the others, and withdraws it', host, async () => {
  const url = 'https://172.16.2.2:2376';
  await using one = await openHost(etcd, 'server1', at('m'));
  const apiOf = (name: string): string | undefined => one.cluster.hosts().find((seen) => seen.name === name)?.api;
  const two = await openHost(etcd, 'server2', { ...at('m'), api: [{ address: '0.0.0.0', port: 2376 }] });
  assert.equal(two.cluster.hosts().find(({ self }) => self)?.api, url);
  await until(one, 'its API', () => apiOf('server2') === url);
  await two.cluster.close();
  await using again = await openHost(etcd, 'server2', { ...at('m'), api: [{ address: '127.0.0.1', port: 2376 }] });
  await until(one, 'none', () => others(one).length === 1 && apiOf('server2') === undefined);
  assert.deepEqual(
    one.reported.flatMap((change) => (change.type === 'host' ? [change.action] : [])),
    ['join', 'update'],
  );
  assert.equal(subnetOf(again), subnetOf(two));
});

test('a duplicate host name and a copied data root are rejected', host, async () => {
  await using _one = await openHost(etcd, 'server1', at('i'));
  await assert.rejects(
    openHost(etcd, 'server1', { ...at('i'), folder: join(etcd.folder, 'duplicate') }),
    refused('conflict', /already has a host server1 at 172\.16\.2\.1/),
  );
  const copy = join(etcd.folder, 'copy');
  cpSync(join(etcd.folder, 'host-server1'), copy, { recursive: true });
  await assert.rejects(
    openHost(etcd, 'server2', { ...at('i'), folder: copy }),
    refused('conflict', /identity as the member server1 at 172\.16\.2\.1/),
  );
});

test('malformed keys of other programs are skipped and reported, others are used', host, async () => {
  await using one = await openHost(etcd, 'server1', at('j'));
  const write = (key: string, value: string): void => void etcd.etcdctl('put', `/netyard/j/${key}`, value);
  write('hosts/bad', '{"id":"x"}');
  write('hosts/worse', 'no json');
  write('names/bad/web', '{"containerId":"c","address":"fe80::1"}');
  write('hosts/../../etc', '{}');
  write(
    'hosts/good',
    JSON.stringify({ id: 'g', address: '172.16.2.7', subnets: ['0.0.0.0/0'], since: '2026-11-23T20:00:00Z' }),
  );
  await until(one, 'good', () => others(one).length === 1);
  assert.deepEqual(others(one), ['good'], 'a conflicting host is well-formed: the network package rejects it');
  const problems = Object.fromEntries(one.cluster.problems().map(({ key, problem }) => [key, problem]));
  assert.deepEqual(Object.keys(problems).toSorted(), ['hosts/../../etc', 'hosts/bad', 'hosts/worse', 'names/bad/web']);
  assert.match(problems['hosts/bad'] ?? '', /address: /);
  assert.match(problems['hosts/worse'] ?? '', /not valid JSON/);
  etcd.etcdctl('del', '--prefix', '/netyard/j/hosts/bad');
  await until(one, 'one problem less', () => one.cluster.problems().length === 3);
});

test('keys of ours that another program deletes are written again', host, async () => {
  await using one = await openHost(etcd, 'server1', at('k'));
  one.cluster.publish([{ name: 'web', containerId: 'c1', address: '192.168.9.2' }]);
  await using two = await openHost(etcd, 'server2', at('k'));
  await until(two, 'the name', () => two.cluster.names().length === 1);
  etcd.etcdctl('del', '--prefix', '/netyard/k/names/');
  etcd.etcdctl('del', '/netyard/k/hosts/server1');
  await until(two, 'server1 left', () =>
    two.reported.some((change) => change.type === 'host' && change.action === 'leave'),
  );
  await until(two, 'all is back', () => others(two).length === 1 && two.cluster.names().length === 1);
  const lease = (key: string): string =>
    /"lease":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', `/netyard/k/${key}`))?.[1] ?? 'none';
  assert.equal(lease('hosts/server1'), lease('names/server1/web'), 'both are attached to the host’s lease');
});

test('twenty hosts that join at once get different subnets', host, async () => {
  const pool = { subnet: '10.5.0.0/16', subnetSize: 21 }; // 32 of them
  const names = Array.from({ length: 20 }, (_, index) => `server${index + 1}`);
  const hosts = await Promise.all(names.map((name) => openHost(etcd, name, { ...at('l'), pool })));
  try {
    await Promise.all(hosts.map((one) => until(one, 'all', () => others(one).length === 19)));
    assert.equal(new Set(hosts.map(subnetOf)).size, 20);
  } finally {
    await Promise.all(hosts.map((one) => one.cluster.close()));
  }
});
