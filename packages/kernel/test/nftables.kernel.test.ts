/** nftables tables and their elements: edited by other programs, replaced, and rolled back after a failure. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import { hasErrno, type KernelObject, type KernelPlan, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { NftContext } from '../src/netlink/nft/context.ts';
import { cleanHost, dump, element, host2, planOf, tableBody } from './plan-host.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();

beforeEach(() => cleanHost(host));

test('an edited table is repaired and keeps its elements', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  const before = dump();
  for (const edit of [
    'flush chain ip netyard output',
    'add chain ip netyard own',
    'add rule ip netyard output drop',
    'delete set ip netyard holes',
  ]) {
    sh(`nft '${edit}'`);
    const { operations } = await kernel.apply(host2);
    assert.deepEqual(
      operations.map(({ action, object }) => `${action} ${object.kind}`),
      ['change nft-table'],
      edit,
    );
    assert.deepEqual(dump(), before);
    assert.deepEqual((await kernel.apply(host2)).operations, []);
  }
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a replaced table keeps its elements, and a rejected one leaves the old table', host, async () => {
  await kernel.apply(host2);
  await kernel.apply(planOf(2));
  sh('nft add element ip netyard holes \'{ 1.1.1.1 . 2.2.2.2 comment "x, } y" }\'');
  const changed = tableBody
    .replace('chain output', 'chain third { }\n  chain output')
    .replace('set holes { type ipv4_addr . ipv4_addr; }', 'set holes { type ipv4_addr . ipv4_addr . inet_service; }');
  const plan = (body: string): KernelPlan => ({
    owner: 'network bridge',
    objects: [{ kind: 'nft-table', family: 'ip', name: 'netyard', body }, element(8802, '172.17.0.2 . 80')],
  });
  const { operations } = await kernel.apply(plan(changed));
  assert.deepEqual(
    operations.map(({ action, object }) => `${action} ${object.kind}`),
    ['change nft-table'],
  );
  const listed = sh('nft list table ip netyard');
  assert.match(listed, /chain third/);
  assert.match(listed, /tcp \. 8802 comment "container c" : 172.17.0.2 \. 80/);
  assert.doesNotMatch(listed, /1\.1\.1\.1/); // its set has another type now
  await assert.rejects(kernel.apply(plan(`${changed}\n chain bad { no such statement }`)), (error) =>
    hasErrno(error, 'EINVAL'),
  );
  assert.equal(sh('nft list table ip netyard'), listed);
  await kernel.apply(plan(tableBody));
  await kernel.remove(planOf(2));
  await kernel.remove(host2);
});

test('a replaced table keeps the elements of renamed sets, and changes those that differ', host, async () => {
  const table = (body: string, formerSets?: Record<string, string>): KernelObject => ({
    ...{ kind: 'nft-table', family: 'ip', name: 'own', body },
    ...(formerSets ? { formerSets } : {}),
  });
  const former = 'set old_s { type ipv4_addr; counter; }\nmap old_m { type inet_service : ipv4_addr; }';
  await kernel.apply({ owner: 'former', objects: [table(former)] });
  sh('nft add element ip own old_s \'{ 10.0.0.1 counter packets 5 bytes 420 comment "a", 10.0.0.2 comment "b" }\'');
  sh("nft add element ip own old_m '{ 80 : 10.0.0.1, 81 : 10.0.0.2 }'");
  const current = table(former.replaceAll('old_', ''), { s: 'old_s', m: 'old_m' });
  const inMap = (key: string, value: string): KernelObject => ({
    ...{ kind: 'nft-element', family: 'ip', table: 'own', set: 'm', key, value },
  });
  const plan = { owner: 'current', objects: [current, inMap('80', '10.0.0.1'), inMap('81', '10.0.0.9')] };
  const { operations } = await kernel.apply(plan);
  assert.deepEqual(
    operations.map(({ action, object }) => `${action} ${object.kind}`),
    ['change nft-table', 'change nft-element'],
  );
  const elements = (set: string) => kernel.listNftElements({ family: 'ip', table: 'own', set });
  assert.deepEqual(await elements('s'), [
    { key: '10.0.0.1', packets: 5n, bytes: 420n, comment: 'a' },
    { key: '10.0.0.2', packets: 0n, bytes: 0n, comment: 'b' },
  ]);
  assert.deepEqual(await elements('m'), [
    { key: '80', value: '10.0.0.1' },
    { key: '81', value: '10.0.0.9' },
  ]);
  assert.deepEqual((await kernel.apply(plan)).operations, []);
  await kernel.remove(plan);
});

test('a later failure rolls nftables changes back: new tables, replaced tables, single elements', host, async () => {
  const own: KernelObject = {
    kind: 'nft-table',
    family: 'ip',
    name: 'own',
    body: 'set s {\ntype ipv4_addr; flags interval;\n}',
  };
  const inOwn: KernelObject = { kind: 'nft-element', family: 'ip', table: 'own', set: 's', key: '10.0.0.0/8' };
  const inOwn2: KernelObject = { kind: 'nft-element', family: 'ip', table: 'own', set: 's', key: '192.168.0.0/16' };
  const wrong: KernelObject = { kind: 'address', link: 'absent0', prefix: '10.0.0.1/8' };
  await kernel.apply(host2);
  const before = dump();
  const plan = (...objects: KernelObject[]): KernelPlan => ({ owner: 'x', objects });
  await assert.rejects(kernel.apply(plan(own, inOwn, element(1, '1.1.1.1 . 1'), wrong)));
  assert.deepEqual(dump(), before);
  await kernel.apply(plan(own, inOwn, element(1, '1.1.1.1 . 1')));
  await kernel.apply(plan(own, inOwn, inOwn2));
  const between = dump();
  const another: KernelObject = { ...own, body: `${own.body}\nchain c { }` };
  await assert.rejects(
    kernel.apply(plan(another, inOwn, inOwn2, element(1, '2.2.2.2 . 2'), element(3, '3.3.3.3 . 3'), wrong)),
  );
  assert.deepEqual(dump(), between);
  await kernel.apply(plan(another, element(1, '2.2.2.2 . 2')));
  assert.deepEqual((await kernel.apply(plan(another, inOwn, inOwn2, element(1, '2.2.2.2 . 2')))).operations, []);
  await kernel.remove(plan(another, inOwn, element(1, '2.2.2.2 . 2')));
  assert.deepEqual(dump(), before);
});

test('adjacent intervals are found, not created again, and deleted beside an absent one', host, async () => {
  const table: KernelObject = {
    kind: 'nft-table',
    family: 'ip',
    name: 'intervals',
    body: 'set s {\ntype ipv4_addr; flags interval;\n}',
  };
  const subnet = (key: string): KernelObject => ({
    ...({ kind: 'nft-element', family: 'ip', table: 'intervals', set: 's', key } as const),
    comment: `network ${key}`,
  });
  const subnets = ['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/16'].map(subnet);
  const plan = (...objects: KernelObject[]): KernelPlan => ({ owner: 'x', objects });
  const before = dump();
  for (const one of subnets) await kernel.apply(plan(table, one));
  const after = dump();
  const wrong: KernelObject = { kind: 'address', link: 'absent0', prefix: '10.0.0.1/8' };
  for (const one of subnets) {
    assert.equal((await kernel.observe([one]))[0]?.state, 'present', JSON.stringify(one));
    assert.deepEqual((await kernel.apply(plan(one))).operations, []);
    await assert.rejects(kernel.apply(plan(one, wrong)));
    assert.deepEqual(dump(), after, 'the rollback deleted what existed before');
  }
  assert.equal((await kernel.observe([subnet('10.0.0.0/8')]))[0]?.state, 'absent');
  for (const one of subnets) await kernel.remove(plan(one, subnet('10.0.0.0/8')));
  assert.doesNotMatch(sh('nft list table ip intervals'), /elements/);
  await kernel.remove(plan(table));
  assert.deepEqual(dump(), before);
});

test('no child process inherits the socket of a context that stays open', host, () => {
  const before = new Set(socketFds().map(({ socket }) => socket));
  const contexts = [NftContext.openHeld(), NftContext.openScratch()];
  const added = socketFds().filter(({ socket }) => !before.has(socket));
  assert.equal(added.length, 2);
  for (const { fd } of added) assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^flags:\t0?2\d{6}$/m);
  for (const context of contexts) context.close();
});

test('nft works beside more open files than select(2) can wait for', host, async () => {
  await kernel.apply(host2);
  const files = Array.from({ length: 1500 }, () => openSync('/dev/null', 'r'));
  try {
    const listed = { operation: 'nft list tables', object: 'all tables' };
    for (let round = 0; round < 3; round += 1) {
      const contexts = [NftContext.openHeld(), NftContext.openScratch()];
      assert.deepEqual(
        contexts.map((context) => context.run('list tables', listed).includes('netyard')),
        [true, false],
      );
      contexts[1]?.run('add table ip netyard', { operation: 'nft add table', object: 'ip netyard' });
      for (const context of contexts) context.close();
    }
    assert.notDeepEqual((await kernel.apply(planOf(2))).operations, []);
  } finally {
    for (const file of files) closeSync(file);
  }
});

function socketFds(): { fd: string; socket: string }[] {
  const fds = readdirSync('/proc/self/fd').filter((fd) => existsSync(`/proc/self/fdinfo/${fd}`));
  const links = fds.map((fd) => ({ fd, socket: readlinkSync(`/proc/self/fd/${fd}`) }));
  return links.filter(({ socket }) => socket.startsWith('socket:'));
}
