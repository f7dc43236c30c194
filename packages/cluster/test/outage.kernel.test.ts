/** Bad times: etcd away, its leader killed, answers that do not come, leases run out, revisions compacted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import { openHost, others, subnetOf, until } from './members.ts';
import { type PrivateEtcd, startEtcd } from './private-etcd.ts';

const host = inFreshHost(import.meta.url);
const states = (told: readonly { type: string }[]): string[] =>
  told.flatMap((change) => ('state' in change && typeof change.state === 'string' ? [change.state] : []));
const web = { name: 'web', containerId: 'c1', address: '192.168.9.2' };

/** The member whose answer says that it leads. */
function leaderOf(etcd: PrivateEtcd): PrivateEtcd['members'][number] {
  const status = JSON.parse(etcd.etcdctl('endpoint', 'status', '-w', 'json')) as {
    Endpoint: string;
    Status: { header: { member_id: number }; leader: number };
  }[];
  const leader = status.find(({ Status }) => Status.header.member_id === Status.leader)?.Endpoint ?? '';
  const member = etcd.members.find(({ endpoint }) => leader.endsWith(endpoint));
  assert.ok(member, 'somebody leads');
  return member;
}

test('etcd away and back: what is known stays, what was missed is caught up, no lease is lost', host, async () => {
  await using etcd = await startEtcd();
  await using one = await openHost(etcd, 'server1');
  await using two = await openHost(etcd, 'server2');
  await until(one, 'server2', () => others(one).length === 1);
  const [member] = etcd.members;
  await member?.kill();
  await until(one, 'away', () => one.cluster.view().connection === 'away');
  assert.match(one.cluster.view().reason, /etcd at 127\.0\.0\.1:2379 does not answer: ECONNREFUSED/);
  assert.deepEqual(others(one), ['server2'], 'known still');
  one.cluster.publish([web]);
  assert.equal(one.cluster.names().length, 1, 'known here at once');
  await sleep(4_000); // longer than the lease of 3 s
  await member?.start();
  await until(two, 'the name published meanwhile', () => two.cluster.names().length === 1);
  await until(one, 'connected', () => one.cluster.view().connection === 'connected');
  assert.deepEqual(states(one.told), ['away', 'connected']);
  assert.deepEqual(one.told.filter(({ type }) => type === 'host').length, 1, 'nobody left and came back');
  await assert.doesNotReject(two.cluster.leave());
  await until(one, 'server2 left', () => others(one).length === 0);
});

test('of three the leader is killed: the hosts go on with the others and lose nothing', host, async () => {
  await using etcd = await startEtcd({ members: 3 });
  await using one = await openHost(etcd, 'server1', { leaseSeconds: 10 });
  await using two = await openHost(etcd, 'server2', { leaseSeconds: 10 });
  await until(one, 'server2', () => others(one).length === 1);
  one.told.length = 0;
  await leaderOf(etcd).kill();
  one.cluster.publish([web]);
  await until(two, 'a name', () => two.cluster.names().length === 1);
  await using three = await openHost(etcd, 'server3');
  await until(one, 'server3', () => others(one).length === 2);
  assert.deepEqual(others(three), ['server1', 'server2']);
  assert.deepEqual(
    one.told.filter((change) => change.type === 'host' && change.action === 'leave'),
    [],
  );
});

test('an endpoint that holds its connection and answers nothing is left for another', host, async () => {
  await using etcd = await startEtcd({ members: 3 });
  const leader = leaderOf(etcd);
  const mute = etcd.members.find((member) => member !== leader) ?? leader;
  const sound = etcd.members.filter((member) => member !== mute).map(({ endpoint }) => endpoint);
  // the mute one stands first, and a random number of 0 begins with the first
  await using one = await openHost(etcd, 'server1', {
    url: `etcd://${mute.endpoint},${sound.join()}`,
    random: () => 0,
  });
  mute.pause();
  try {
    await using two = await openHost(etcd, 'server2', { url: `etcd://${sound.join()}` });
    await until(one, 'server2', () => others(one).length === 1);
    assert.deepEqual(others(two).length <= 1, true);
  } finally {
    mute.resume();
  }
});

test(
  'a host that says nothing is gone when its lease ends; its subnet is kept, and given when it returns',
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
    assert.match(etcd.etcdctl('get', '--prefix', '--keys-only', '/netyard/'), /server1/, 'not before the lease ends');
    await until(watcher, 'gone', () => others(watcher).length === 0);
    assert.deepEqual(watcher.cluster.names(), []);
    assert.equal(watcher.cluster.reservations()[0]?.subnet, subnet);
    await using again = await openHost(etcd, 'server1');
    assert.equal(subnetOf(again), subnet);
  },
);

test('cut off for longer than its lease, a host comes back by itself with its subnet and its names', host, async () => {
  await using etcd = await startEtcd();
  await using watcher = await openHost(etcd, 'server9');
  await using one = await openHost(etcd, 'server1');
  one.cluster.publish([web]);
  await until(watcher, 'the name', () => watcher.cluster.names().length === 1);
  const subnet = subnetOf(one);
  // what a partition comes to, as etcd sees it: the lease ends while the host still thinks that it holds it
  const lease = /"lease":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', '/netyard/netyard/hosts/server1'))?.[1];
  etcd.etcdctl('lease', 'revoke', BigInt(lease ?? 0).toString(16));
  const left = () => watcher.told.some((change) => change.type === 'host' && change.action === 'leave');
  await until(
    watcher,
    'left, and back with all',
    () => left() && others(watcher).length === 1 && watcher.cluster.names().length === 1,
  );
  assert.equal(subnetOf(one), subnet);
  assert.equal(one.cluster.view().problem, '');
});

test(
  'a subnet that went to another meanwhile is not fought for: it is told, and taken again when it is free',
  host,
  async () => {
    await using etcd = await startEtcd();
    const pool = { subnet: '10.6.0.0/23', subnetSize: 24 };
    await using watcher = await openHost(etcd, 'server9', { pool });
    await using one = await openHost(etcd, 'server1', { pool });
    const subnet = subnetOf(one);
    await until(watcher, 'server1', () => others(watcher).length === 1);
    const leases = ['hosts/server1', `subnets/${subnet.replace('/', '-')}`].map((key) => {
      const lease = /"lease":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', `/netyard/netyard/${key}`))?.[1];
      return BigInt(lease ?? 0).toString(16);
    });
    // in one transaction, as if the host had been away while both happened
    const [member] = etcd.members;
    await one.cluster.close();
    for (const lease of leases) etcd.etcdctl('lease', 'revoke', lease);
    await using thief = await openHost(etcd, 'server2', { pool });
    assert.equal(subnetOf(thief), subnet, 'the only one that is free');
    await member?.kill();
    await using back = await openHost(etcd, 'server1', { pool }); // while etcd is away: with what it knew
    assert.equal(back.cluster.view().connection, 'away');
    assert.equal(subnetOf(back), subnet);
    await member?.start();
    await until(back, 'connected', () => back.cluster.view().connection === 'connected');
    assert.match(
      back.cluster.view().problem,
      new RegExp(`${subnet.replaceAll('.', '\\.')} is the subnet of host server2 now`),
    );
    assert.ok(back.told.some((change) => change.type === 'membership' && change.problem.includes('server2')));
    assert.ok(!others(watcher).includes('server1'), 'it announces nothing');
    assert.deepEqual(others(back), ['server2', 'server9'], 'and still sees the others');
    await until(thief, 'connected', () => thief.cluster.view().connection === 'connected');
    await thief.cluster.leave();
    await until(back, 'its own again', () => back.cluster.view().problem === '' && others(back).join() === 'server9');
    await until(watcher, 'server1 is back', () => others(watcher).includes('server1'));
  },
);

test('a first start without etcd is an error; a later one goes on with what was known', host, async () => {
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
      isNetyardError(error, 'unavailable') && /ECONNREFUSED.*; this host was no member before/.test(error.message),
  );
  await using again = await openHost(etcd, 'server1');
  assert.equal(again.cluster.view().connection, 'away');
  assert.equal(subnetOf(again), subnet);
  assert.deepEqual(others(again), ['server2']);
  assert.deepEqual(again.cluster.names(), [{ host: 'server2', ...web }]);
  await member?.start();
  await until(again, 'connected', () => again.cluster.view().connection === 'connected');
});

test('compaction of all that was missed: the list tells it', host, async () => {
  await using etcd = await startEtcd();
  const [member] = etcd.members;
  await using one = await openHost(etcd, 'server1');
  await using two = await openHost(etcd, 'server2');
  await until(one, 'server2', () => others(one).length === 1);
  member?.pause();
  await until(one, 'away', () => one.cluster.view().connection === 'away');
  member?.resume();
  for (let index = 0; index < 20; index++) etcd.etcdctl('put', `/netyard/netyard/names/server2/c${index}`, 'no json');
  const revision = /"revision":(\d+)/.exec(etcd.etcdctl('get', '-w', 'json', 'x'))?.[1] ?? '';
  etcd.etcdctl('compaction', '--physical', revision);
  await until(
    one,
    'connected',
    () => one.cluster.view().connection === 'connected' && one.cluster.problems().length === 20,
    30_000,
  );
  two.cluster.publish([web]);
  await until(one, 'names by watch', () => one.cluster.names().length === 1);
});
