/** Failures: etcd unreachable, its leader killed, missing responses, expired leases, compacted revisions. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import type { KnownNetwork } from '../src/index.ts';
import { expireLease, openHost, others, subnetOf, type TestHost, until } from './members.ts';
import { type PrivateEtcd, startEtcd } from './private-etcd.ts';

const host = inFreshHost(import.meta.url);
const states = (reported: readonly { type: string }[]): string[] =>
  reported.flatMap((change) => ('state' in change && typeof change.state === 'string' ? [change.state] : []));
const web = { name: 'web', containerId: 'c1', address: '192.168.9.2' };

/** The member that reports itself as the leader; waits while an election is going on. */
async function leaderOf(etcd: PrivateEtcd): Promise<PrivateEtcd['members'][number]> {
  const status = JSON.parse(etcd.etcdctl('endpoint', 'status', '-w', 'json')) as {
    Endpoint: string;
    Status: { header: { member_id: number }; leader: number };
  }[];
  const leader = status.find(({ Status }) => Status.header.member_id === Status.leader)?.Endpoint ?? '';
  const member = leader === '' ? undefined : etcd.members.find(({ endpoint }) => leader.endsWith(endpoint));
  if (member) return member;
  await sleep(100);
  return leaderOf(etcd);
}

test(
  'while etcd is unreachable known hosts stay; afterwards missed changes are applied and no lease is lost',
  host,
  async () => {
    await using etcd = await startEtcd();
    // long enough for a busy machine to renew it in time once etcd is back
    await using one = await openHost(etcd, 'server1', { leaseSeconds: 10 });
    await using two = await openHost(etcd, 'server2', { leaseSeconds: 10 });
    await until(one, 'server2', () => others(one).length === 1);
    const [member] = etcd.members;
    await member?.kill();
    await until(one, 'unreachable', () => one.cluster.view().connection === 'unreachable');
    assert.match(one.cluster.view().reason, /etcd at 127\.0\.0\.1:2379 does not respond: ECONNREFUSED/);
    assert.deepEqual(others(one), ['server2'], 'still known');
    one.cluster.publish([web]);
    assert.equal(one.cluster.names().length, 1, 'known locally at once');
    await sleep(11_000); // longer than the lease
    await member?.start();
    await until(two, 'the name published meanwhile', () => two.cluster.names().length === 1);
    await until(one, 'connected', () => one.cluster.view().connection === 'connected');
    assert.deepEqual(states(one.reported), ['unreachable', 'connected']);
    assert.deepEqual(one.reported.filter(({ type }) => type === 'host').length, 1, 'no host left and rejoined');
    await assert.doesNotReject(two.cluster.leave());
    await until(one, 'server2 left', () => others(one).length === 0);
  },
);

test('when the leader of three is killed, the hosts continue with the others and lose nothing', host, async () => {
  await using etcd = await startEtcd({ members: 3 });
  await using one = await openHost(etcd, 'server1');
  await using two = await openHost(etcd, 'server2');
  await until(one, 'server2', () => others(one).length === 1);
  one.reported.length = 0;
  await (await leaderOf(etcd)).kill();
  one.cluster.publish([web]);
  await until(two, 'a name', () => two.cluster.names().length === 1);
  await using three = await openHost(etcd, 'server3');
  await until(one, 'server3', () => others(one).length === 2);
  assert.deepEqual(others(three), ['server1', 'server2']);
  assert.deepEqual(
    one.reported.filter((change) => change.type === 'host' && change.action === 'leave'),
    [],
  );
});

test(
  'an endpoint that keeps its connection but does not respond is abandoned for another, and so is what it did not answer',
  host,
  async () => {
    await using etcd = await startEtcd({ members: 3 });
    const leader = await leaderOf(etcd);
    const unresponsive = etcd.members.find((member) => member !== leader) ?? leader;
    const healthy = etcd.members.filter((member) => member !== unresponsive).map(({ endpoint }) => endpoint);
    // the unresponsive endpoint is first, and a random number of 0 starts with the first
    await using one = await openHost(etcd, 'server1', {
      url: `etcd://${unresponsive.endpoint},${healthy.join()}`,
      random: () => 0,
    });
    const more = { created: 1n, internal: false, attachable: true, options: {}, labels: {}, isTaken: () => false };
    const { id } = await one.cluster.createNetwork({ ...more, id: 'a'.repeat(64), name: 'back' });
    await until(one, 'the network', () => one.cluster.networks().length === 1);
    unresponsive.pause();
    const removal = one.cluster.removeNetwork(id); // repeated on the other connection
    removal.catch(() => undefined);
    try {
      await using two = await openHost(etcd, 'server2', { url: `etcd://${healthy.join()}` });
      await until(one, 'server2', () => others(one).length === 1);
      assert.deepEqual(others(two).length <= 1, true);
      await removal;
      await until(two, 'no network', () => two.cluster.networks().length === 0);
    } finally {
      unresponsive.resume();
    }
  },
);

test(
  'a host that does not renew its lease is removed; its subnet stays reserved and is assigned again when it rejoins',
  host,
  async () => {
    await using etcd = await startEtcd();
    await using watcher = await openHost(etcd, 'server9');
    const first = await openHost(etcd, 'server1', { leaseSeconds: 10 });
    first.cluster.publish([web]);
    await until(
      watcher,
      'server1 and its name',
      () => others(watcher).length === 1 && watcher.cluster.names().length === 1,
    );
    const subnet = subnetOf(first);
    await first.cluster.close();
    assert.match(
      etcd.etcdctl('get', '--prefix', '--keys-only', '/netyard/'),
      /server1/,
      'not before the lease expires',
    );
    await until(watcher, 'gone', () => others(watcher).length === 0);
    assert.deepEqual(watcher.cluster.names(), []);
    assert.equal(watcher.cluster.reservations()[0]?.subnet, subnet);
    await using again = await openHost(etcd, 'server1');
    assert.equal(subnetOf(again), subnet);
  },
);

test('a host that is cut off for longer than its lease rejoins with its subnet and its names', host, async () => {
  await using etcd = await startEtcd();
  await using watcher = await openHost(etcd, 'server9');
  await using one = await openHost(etcd, 'server1');
  one.cluster.publish([web]);
  await until(watcher, 'the name', () => watcher.cluster.names().length === 1);
  const subnet = subnetOf(one);
  // a partition as etcd sees it: the lease expires while the host still considers it valid
  expireLease(etcd, '/netyard/netyard/hosts/server1');
  const left = () => watcher.reported.some((change) => change.type === 'host' && change.action === 'leave');
  await until(
    watcher,
    'left, and back with all',
    () => left() && others(watcher).length === 1 && watcher.cluster.names().length === 1,
  );
  assert.equal(subnetOf(one), subnet);
  assert.equal(one.cluster.view().problem, '');
});

test('a subnet that another host has taken meanwhile is reported, and taken again when it is free', host, async () => {
  await using etcd = await startEtcd();
  const pool = { subnet: '10.6.0.0/23', subnetSize: 24 };
  await using watcher = await openHost(etcd, 'server9', { pool });
  await using one = await openHost(etcd, 'server1', { pool });
  const subnet = subnetOf(one);
  await until(watcher, 'server1', () => others(watcher).length === 1);
  // in one transaction, as if both had happened while the host was disconnected
  const [member] = etcd.members;
  await one.cluster.close();
  for (const key of ['hosts/server1', `subnets/${subnet.replace('/', '-')}`])
    expireLease(etcd, `/netyard/netyard/${key}`);
  await using taker = await openHost(etcd, 'server2', { pool });
  assert.equal(subnetOf(taker), subnet, 'the only free one');
  await member?.kill();
  await using back = await openHost(etcd, 'server1', { pool }); // while etcd is unreachable: with the saved state
  assert.equal(back.cluster.view().connection, 'unreachable');
  assert.equal(subnetOf(back), subnet);
  await member?.start();
  await until(back, 'connected', () => back.cluster.view().connection === 'connected');
  assert.match(back.cluster.view().problem, new RegExp(`${subnet.replaceAll('.', '\\.')} belongs to host server2 now`));
  assert.ok(back.reported.some((change) => change.type === 'membership' && change.problem.includes('server2')));
  assert.ok(!others(watcher).includes('server1'), 'it announces nothing');
  assert.deepEqual(others(back), ['server2', 'server9'], 'still sees the others');
  await until(taker, 'connected', () => taker.cluster.view().connection === 'connected');
  await taker.cluster.leave();
  await until(back, 'its own again', () => back.cluster.view().problem === '' && others(back).join() === 'server9');
  await until(watcher, 'server1 is back', () => others(watcher).includes('server1'));
});

test('a first start without etcd fails; a later one continues with the saved state', host, async () => {
  await using etcd = await startEtcd();
  const [member] = etcd.members;
  const first = await openHost(etcd, 'server1');
  await using other = await openHost(etcd, 'server2');
  other.cluster.publish([web]);
  await until(first, 'all', () => others(first).length === 1 && first.cluster.names().length === 1);
  const subnet = subnetOf(first);
  await first.cluster.close();
  await member?.kill();
  await assert.rejects(
    openHost(etcd, 'server3'),
    (error) =>
      isNetyardError(error, 'unavailable') &&
      /ECONNREFUSED.*; this host has not been a member before/.test(error.message),
  );
  await using again = await openHost(etcd, 'server1');
  assert.equal(again.cluster.view().connection, 'unreachable');
  assert.equal(subnetOf(again), subnet);
  assert.deepEqual(others(again), ['server2']);
  assert.deepEqual(again.cluster.names(), [{ host: 'server2', ...web }]);
  await member?.start();
  await until(again, 'connected', () => again.cluster.view().connection === 'connected');
});

test('missed changes that etcd has compacted are recovered by a new list', host, async () => {
  await using etcd = await startEtcd();
  const [member] = etcd.members;
  await using one = await openHost(etcd, 'server1');
  await using two = await openHost(etcd, 'server2');
  await until(one, 'server2', () => others(one).length === 1);
  member?.pause();
  await until(one, 'unreachable', () => one.cluster.view().connection === 'unreachable');
  member?.resume();
  for (let index = 0; index < 20; index++) etcd.etcdctl('put', `/netyard/netyard/names/server2/c${index}`, 'no json');
  const revision = /"revision":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', 'x'))?.[1] ?? '';
  etcd.etcdctl('compaction', '--physical', revision);
  await until(
    one,
    'connected',
    () => one.cluster.view().connection === 'connected' && one.cluster.problems().length === 20,
  );
  two.cluster.publish([web]);
  await until(one, 'names by watch', () => one.cluster.names().length === 1);
});

test('when etcd has lost its data, members write the networks again and take their former parts', host, async () => {
  await using etcd = await startEtcd();
  const id = 'a'.repeat(64);
  const network = (one: TestHost): KnownNetwork | undefined => one.cluster.networks().find((each) => each.id === id);
  const isComplete = (one: TestHost) => (): boolean =>
    network(one)?.part !== undefined && network(one)?.parts.length === 1;
  const [member] = etcd.members;
  const restartEmpty = async (): Promise<void> => {
    rmSync(join(etcd.folder, '127.0.0.1'), { recursive: true });
    await member?.start();
  };
  await using one = await openHost(etcd, 'server1');
  const two = await openHost(etcd, 'server2');
  await one.cluster.createNetwork({
    ...{ id, name: 'back', created: 1n, internal: false, attachable: false, options: {}, labels: {} },
    isTaken: () => false,
  });
  for (const each of [one, two]) await until(each, 'the parts', isComplete(each));
  const before = [one, two].map(network);
  await member?.kill();
  for (const each of [one, two])
    await until(each, 'unreachable', () => each.cluster.view().connection === 'unreachable');
  await restartEmpty();
  await until(one, 'connected again', () => one.cluster.view().connection === 'connected');
  for (const each of [one, two]) await until(each, 'the parts again', isComplete(each));
  assert.deepEqual([one, two].map(network), before);
  await two.cluster.close();
  await one.cluster.close();
  await member?.kill();
  await restartEmpty();
  await using again = await openHost(etcd, 'server1');
  await until(again, 'its part', () => network(again)?.part !== undefined);
  assert.equal(network(again)?.part, before[0]?.part, 'also by a host that starts');
  await again.cluster.leave();
  await using newcomer = await openHost(etcd, 'server3');
  assert.deepEqual(newcomer.cluster.networks(), [], 'not by a host that was no member');
});
