/**
 * Many hosts on one etcd that three of them keep, a quarter of the hosts behind a router: every container reaches every
 * other, by address and by name; then what happens to a cluster happens, and each time it is measured how long it takes
 * until everybody knows, and looked for what is left of those who went.
 *
 *   script/cluster-demo            # twenty hosts, etcd away for a minute
 *
 * Fewer hosts and a shorter absence unless the environment says NETYARD_CLUSTER_HOSTS and NETYARD_CLUSTER_OUTAGE.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { killHost, setCable, startHost } from '@netyard/lab';
import { ClusterLab, inTimeSlices, seconds } from './support/cluster-lab.ts';
import { cannotRun } from './support/engines.ts';
import { until } from './support/host.ts';

const count = Number(process.env['NETYARD_CLUSTER_HOSTS'] ?? 6);
const awaySeconds = Number(process.env['NETYARD_CLUSTER_OUTAGE'] ?? 8);
/** Short, that the test is; longer where two processors have many daemons to serve. */
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
    await inTimeSlices(names, (name) => lab.runBox(name));
    for (const name of names) await lab.learn(name);
    t.diagnostic(`a container on each: ${seconds(since)}`);
    await lab.reachEachOther(names, 20);
    t.diagnostic(`${names.length * (names.length - 1)} pairs pinged, by address and by name`);
    await lab.etcdHolds(names, 'n1');
  });

  test('a host leaves, and joins again', async (t) => {
    const leaver = names[3] ?? '';
    const gone = lab.member(leaver);
    await lab.host(leaver).docker('rm', '-f', `box-${leaver}`);
    let since = Date.now();
    await lab.host(leaver).netyard('cluster', 'leave');
    t.diagnostic(`left: all others know after ${await lab.settle(without(leaver), since)}`);
    await nothingLeftOf(gone, without(leaver));
    await killHost(`${lab.path(leaver)}:daemon`);
    since = Date.now();
    await startHost(`${lab.path(leaver)}:daemon`, signal);
    const answered = seconds(since);
    t.diagnostic(
      `joined: all know after ${await lab.settle(names, since)}, its daemon's start of ${answered} included`,
    );
    await lab.runBox(leaver);
    await allIsWell([leaver]);
  });

  test('a host crashes, and comes back', async (t) => {
    const victim = names.at(-1) ?? '';
    const gone = lab.member(victim);
    let since = Date.now();
    await killHost(lab.path(victim));
    t.diagnostic(`crashed: removed after ${await lab.settle(without(victim), since)}, the lease is ${leaseSeconds} s`);
    await nothingLeftOf(gone, without(victim));
    await lab.reachEachOther(without(victim));
    since = Date.now();
    await startHost(lab.path(victim), signal);
    lab.find(victim);
    t.diagnostic(`back: all know after ${await lab.settle(names, since)}`);
    await lab.host(victim).docker('start', `box-${victim}`);
    await allIsWell([victim]);
    assert.equal(lab.member(victim).subnet, gone.subnet, 'it has the subnet that it had');
  });

  test('an uplink is cut, shortly and for long', async (t) => {
    const lost = names.at(-2) ?? '';
    const rest = without(lost);
    await setCable(lab.path(lost), 'down');
    await pause(1000);
    let since = Date.now();
    await setCable(lab.path(lost), 'up');
    await lab.settle(names, since);
    await reachesAgain(rest[0] ?? '', lost);
    t.diagnostic(`cut for a second: reached again after ${seconds(since)}`);
    since = Date.now();
    await setCable(lab.path(lost), 'down');
    t.diagnostic(`cut: removed after ${await lab.settle(rest, since)}, the lease is ${leaseSeconds} s`);
    await nothingLeftOf(lab.member(lost), rest);
    since = Date.now();
    await setCable(lab.path(lost), 'up');
    t.diagnostic(`restored: all know after ${await lab.settle(names, since)}`);
    await allIsWell([]);
  });

  test("etcd's leader is killed", async (t) => {
    const leader = await lab.etcdLeader();
    const since = Date.now();
    await killHost(`${lab.path(leader)}:etcd`);
    await lab.reachEachOther(names);
    await tellOf(t, 'late', names[4] ?? '', since);
    await startHost(`${lab.path(leader)}:etcd`, signal);
    await allIsWell([]);
  });

  test('etcd is away', async (t) => {
    const etcds = lab.etcdMembers().map((name) => `${lab.path(name)}:etcd`);
    const from = Date.now();
    await Promise.all(etcds.map(killHost));
    const starter = names[4] ?? '';
    await lab.host(starter).docker('run', '-d', '--name', 'meanwhile', 'netyard-test', 'sleep', '1000000');
    await lab.reachEachOther(names);
    t.diagnostic('away: a container was started, and all reach each other');
    await pause(Math.max(0, awaySeconds * 1000 - (Date.now() - from)));
    await lab.settle(names, from);
    await lab.reachEachOther(names);
    const since = Date.now();
    await Promise.all(etcds.map((etcd) => startHost(etcd, signal)));
    t.diagnostic(`back after ${seconds(from)}; etcd's members agree after ${seconds(since)}`);
    const others = without(starter);
    t.diagnostic(`what began meanwhile is known after ${await lab.resolves(others, 'meanwhile', 'known', since)}`);
    await lab.host(starter).docker('rm', '-f', 'meanwhile');
    await lab.resolves(others, 'meanwhile', 'unknown', Date.now());
    t.diagnostic(`all settled after ${await lab.settle(names, since)}`);
    await allIsWell([]);
  });

  /** A new container's name reaches everybody, and goes with it. */
  async function tellOf(t: TestContext, name: string, on: string, since: number): Promise<void> {
    await lab.host(on).docker('run', '-d', '--name', name, 'netyard-test', 'sleep', '1000000');
    t.diagnostic(`a new name is known after ${await lab.resolves(without(on), name, 'known', since)}`);
    await lab.host(on).docker('rm', '-f', name);
    await lab.resolves(without(on), name, 'unknown', Date.now());
  }

  async function reachesAgain(from: string, to: string): Promise<void> {
    const { container } = lab.member(to);
    const ping = ['exec', `box-${from}`, 'ping', '-c', '1', '-W', '1', container];
    await until(async () => (await lab.host(from).tryDocker(...ping)).status === 0, `${from} reaches ${to}`);
  }

  /** `renewed`: hosts whose containers may have other addresses by now. */
  async function allIsWell(renewed: readonly string[]): Promise<void> {
    for (const name of renewed) await lab.learn(name);
    await lab.reachEachOther(names, 20);
    await lab.etcdHolds(names, 'n1');
  }

  async function nothingLeftOf(gone: ReturnType<ClusterLab['member']>, rest: readonly string[]): Promise<void> {
    await lab.nothingStale(rest, gone);
    await lab.etcdHolds(rest, 'n1');
  }
});
