/**
 * A cluster of many hosts, three of which run etcd, and a quarter of which is behind a router. Every container reaches
 * every other by address and by name. Then hosts leave, crash and lose their connection, and etcd fails; each time the test
 * measures how long all hosts take to follow, and checks that nothing of former members is left.
 *
 *   script/cluster-demo            # twenty hosts, etcd down for a minute
 *
 * By default fewer hosts and a shorter outage; see NETYARD_CLUSTER_HOSTS and NETYARD_CLUSTER_OUTAGE.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { killHost, setCable, startHost } from '@netyard/lab';
import { ClusterLab, containerOn, forEachConcurrently, seconds } from './support/cluster-lab.ts';
import { cannotRun } from './support/engines.ts';
import { until } from './support/host.ts';

const count = Number(process.env['NETYARD_CLUSTER_HOSTS'] ?? 6);
const outageSeconds = Number(process.env['NETYARD_CLUSTER_OUTAGE'] ?? 8);
/** Short to keep the test short; longer with many daemons on two processors. */
const leaseSeconds = count > 10 ? 10 : 5;
const { signal } = new AbortController();

describe(`${count} hosts on etcd`, { skip: cannotRun('netyard') }, () => {
  let lab: ClusterLab;
  let names: string[];
  const without = (...gone: string[]): string[] => names.filter((name) => !gone.includes(name));

  before(async () => {
    const since = Date.now();
    lab = await ClusterLab.open({ name: `cluster-${process.pid}`, hosts: count, leaseSeconds }, () => {});
    names = lab.names;
    console.log(`lab of ${count} hosts up: ${seconds(since)}`);
  });
  after(() => lab?.close());

  test('every container reaches every other', async (t) => {
    const since = Date.now();
    t.diagnostic(`routes settled after: ${await lab.settle(names, since)}`);
    await forEachConcurrently(names, (name) => lab.runContainer(name));
    for (const name of names) await lab.recordMember(name);
    t.diagnostic(`a container on each: ${seconds(since)}`);
    await lab.assertAllReachable(names, 20);
    t.diagnostic(`${names.length * (names.length - 1)} pairs pinged, by address and by name`);
    await lab.assertEtcdKeys(names, 'n1');
  });

  test('a host leaves and joins again', async (t) => {
    const leaver = names[3] ?? '';
    const former = lab.member(leaver);
    await lab.host(leaver).docker('rm', '-f', containerOn(leaver));
    let since = Date.now();
    await lab.host(leaver).netyard('cluster', 'leave');
    t.diagnostic(`left: all others removed it after ${await lab.settle(without(leaver), since)}`);
    await assertNothingLeft(former, without(leaver));
    await killHost(`${lab.path(leaver)}:daemon`);
    since = Date.now();
    await startHost(`${lab.path(leaver)}:daemon`, signal);
    const answered = seconds(since);
    t.diagnostic(
      `joined: all have routes after ${await lab.settle(names, since)}, including the start of its daemon (${answered})`,
    );
    await lab.runContainer(leaver);
    await assertAllWell([leaver]);
  });

  test('a crashed host is removed, and gets its subnet again when it returns', async (t) => {
    const victim = names.at(-1) ?? '';
    const former = lab.member(victim);
    let since = Date.now();
    await killHost(lab.path(victim));
    t.diagnostic(`crashed: removed after ${await lab.settle(without(victim), since)}, the lease is ${leaseSeconds} s`);
    await assertNothingLeft(former, without(victim));
    await lab.assertAllReachable(without(victim));
    since = Date.now();
    await startHost(lab.path(victim), signal);
    lab.find(victim);
    t.diagnostic(`returned: all have routes after ${await lab.settle(names, since)}`);
    await lab.host(victim).docker('start', containerOn(victim));
    await assertAllWell([victim]);
    assert.equal(lab.member(victim).subnet, former.subnet, 'it gets its former subnet');
  });

  test('a host stays a member when its uplink is down for a second, and is removed when it is down for longer', async (t) => {
    const lost = names.at(-2) ?? '';
    const rest = without(lost);
    await setCable(lab.path(lost), 'down');
    await pause(1000);
    let since = Date.now();
    await setCable(lab.path(lost), 'up');
    await lab.settle(names, since);
    await reachesAgain(rest[0] ?? '', lost);
    t.diagnostic(`down for a second: reached again after ${seconds(since)}`);
    since = Date.now();
    await setCable(lab.path(lost), 'down');
    t.diagnostic(`down: removed after ${await lab.settle(rest, since)}, the lease is ${leaseSeconds} s`);
    await assertNothingLeft(lab.member(lost), rest);
    since = Date.now();
    await setCable(lab.path(lost), 'up');
    t.diagnostic(`restored: all have routes after ${await lab.settle(names, since)}`);
    await assertAllWell([]);
  });

  test("traffic and changes continue when etcd's leader is killed", async (t) => {
    const leader = await lab.etcdLeader();
    const since = Date.now();
    await killHost(`${lab.path(leader)}:etcd`);
    await lab.assertAllReachable(names);
    await assertNamePropagates(t, 'late', names[4] ?? '', since);
    await startHost(`${lab.path(leader)}:etcd`, signal);
    await assertAllWell([]);
  });

  test('traffic and starts continue while etcd is down, and the cluster settles afterwards', async (t) => {
    const etcds = lab.etcdMembers().map((name) => `${lab.path(name)}:etcd`);
    const from = Date.now();
    await Promise.all(etcds.map(killHost));
    const starter = names[4] ?? '';
    await lab.host(starter).docker('run', '-d', '--name', 'meanwhile', 'netyard-test', 'sleep', '1000000');
    await lab.assertAllReachable(names);
    t.diagnostic('down: a container was started, and all reach each other');
    await pause(Math.max(0, outageSeconds * 1000 - (Date.now() - from)));
    await lab.settle(names, from);
    await lab.assertAllReachable(names);
    const since = Date.now();
    await Promise.all(etcds.map((etcd) => startHost(etcd, signal)));
    t.diagnostic(`started after ${seconds(from)}; etcd's members agree after ${seconds(since)}`);
    const others = without(starter);
    t.diagnostic(
      `the container started meanwhile is known after ${await lab.waitForName(others, 'meanwhile', 'known', since)}`,
    );
    await lab.host(starter).docker('rm', '-f', 'meanwhile');
    await lab.waitForName(others, 'meanwhile', 'unknown', Date.now());
    t.diagnostic(`all settled after ${await lab.settle(names, since)}`);
    await assertAllWell([]);
  });

  /** A new container's name resolves on all hosts until the container is removed. */
  async function assertNamePropagates(t: TestContext, name: string, on: string, since: number): Promise<void> {
    await lab.host(on).docker('run', '-d', '--name', name, 'netyard-test', 'sleep', '1000000');
    t.diagnostic(`a new name is known after ${await lab.waitForName(without(on), name, 'known', since)}`);
    await lab.host(on).docker('rm', '-f', name);
    await lab.waitForName(without(on), name, 'unknown', Date.now());
  }

  async function reachesAgain(from: string, to: string): Promise<void> {
    const { container } = lab.member(to);
    const ping = ['exec', containerOn(from), 'ping', '-c', '1', '-W', '1', container];
    await until(async () => (await lab.host(from).tryDocker(...ping)).status === 0, `${from} reaches ${to}`);
  }

  /** @param renewed hosts whose containers may have new addresses */
  async function assertAllWell(renewed: readonly string[]): Promise<void> {
    for (const name of renewed) await lab.recordMember(name);
    await lab.assertAllReachable(names, 20);
    await lab.assertEtcdKeys(names, 'n1');
  }

  async function assertNothingLeft(former: ReturnType<ClusterLab['member']>, rest: readonly string[]): Promise<void> {
    await lab.assertNothingStale(rest, former);
    await lab.assertEtcdKeys(rest, 'n1');
  }
});
