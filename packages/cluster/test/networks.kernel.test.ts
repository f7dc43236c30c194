/** Networks of the cluster on a real etcd: create, claim, publish, remove, and what outlives a restart and an outage. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import type { KnownNetwork, NewNetwork } from '../src/index.ts';
import { openHost, type TestHost, until } from './members.ts';
import { type PrivateEtcd, startEtcd } from './private-etcd.ts';

const host = inFreshHost(import.meta.url);
let etcd: PrivateEtcd;
before(async () => {
  if (host.skip === false) etcd = await startEtcd();
});
after(async () => await etcd?.[Symbol.asyncDispose]());

const at = (name: string): { url: string } => ({ url: `${etcd.url}/${name}` });
const keys = (cluster: string, folder: string): string[] =>
  etcd
    .etcdctl('get', '--prefix', '--keys-only', `/netyard/${cluster}/${folder}`)
    .split('\n')
    .filter((line) => line !== '');
const isError = (code: string, pattern: RegExp) => (error: unknown) =>
  isNetyardError(error) && error.code === code && pattern.test(error.message);

const idOf = (letter: string): string => letter.repeat(64);
const request = (name: string, letter: string, more: Partial<NewNetwork> = {}): NewNetwork => ({
  ...{ id: idOf(letter), name, created: 1n, internal: false, attachable: true, options: {}, labels: { a: 'b' } },
  isTaken: () => false,
  ...more,
});
const find = (one: TestHost, letter: string): KnownNetwork | undefined =>
  one.cluster.networks().find(({ id }) => id === idOf(letter));
const hasPart = (one: TestHost, letter: string) => (): boolean => find(one, letter)?.part !== undefined;

test(
  'a network is seen by all hosts, each with its own part; names are unique and subnets do not overlap',
  host,
  async () => {
    await using one = await openHost(etcd, 'server1', at('a'));
    await using two = await openHost(etcd, 'server2', at('a'));
    const made = await one.cluster.createNetwork(request('back', 'a'));
    assert.equal(made.subnet, '10.128.0.0/16');
    for (const each of [one, two]) {
      await until(each, 'its part', hasPart(each, 'a'));
      await until(each, 'the other part', () => find(each, 'a')?.parts.length === 1);
    }
    const [own, other] = [find(one, 'a'), find(two, 'a')];
    assert.match(own?.part ?? '', /^10\.128\.\d+\.0\/24$/);
    assert.deepEqual(own?.parts, [{ host: 'server2', subnets: [other?.part] }]);
    assert.deepEqual(other?.parts, [{ host: 'server1', subnets: [own?.part] }]);
    assert.notEqual(own?.part, other?.part);

    await assert.rejects(
      two.cluster.createNetwork(request('back', 'b')),
      isError('conflict', /^network with name back already exists$/),
    );
    await assert.rejects(
      two.cluster.createNetwork(request('b', 'b', { subnet: '10.128.9.0/24' })),
      isError('forbidden', /overlaps with 10\.128\.0\.0\/16 of network back/),
    );
    await assert.rejects(
      two.cluster.createNetwork(request('b', 'b', { subnet: '192.168.0.0/24' })),
      isError('forbidden', /overlaps with 192\.168\.0\.0\/16 of the pool of the hosts/),
    );
    await assert.rejects(two.cluster.createNetwork(request('b/c', 'b')), isError('invalid', /^invalid name/));
    const both = await Promise.all([
      one.cluster.createNetwork(request('x', 'c')),
      two.cluster.createNetwork(request('y', 'd')),
    ]);
    assert.equal(new Set(both.map(({ subnet }) => subnet)).size, 2, 'created at once');
  },
);

test('a network in use on another host is not removed; afterwards nothing of it is left', host, async () => {
  await using one = await openHost(etcd, 'server1', at('b'));
  await using two = await openHost(etcd, 'server2', at('b'));
  await one.cluster.createNetwork(request('back', 'a'));
  for (const each of [one, two]) await until(each, 'its part', hasPart(each, 'a'));
  const web = { networkId: idOf('a'), containerId: idOf('1'), name: 'web', address: '10.128.1.2', names: ['web', 'w'] };
  two.cluster.publishEndpoints([web]);
  await until(one, 'the container', () => one.cluster.endpoints().length === 1);
  assert.deepEqual(one.cluster.endpoints(), [{ ...web, host: 'server2' }]);
  assert.deepEqual(two.cluster.endpoints(), [], 'its own ones it knows itself');
  await assert.rejects(
    one.cluster.removeNetwork(idOf('a')),
    isError('forbidden', /network back has active endpoints \(name:"web" id:"111111111111"\) on server2$/),
  );
  assert.ok(find(two, 'a'), 'nothing was removed');
  two.cluster.publishEndpoints([]);
  await two.cluster.removeNetwork(idOf('a')); // also before its own key is deleted
  for (const each of [one, two]) await until(each, 'no network', () => each.cluster.networks().length === 0);
  await until(one, 'no container', () => one.cluster.endpoints().length === 0);
  assert.deepEqual([...keys('b', 'networks/'), ...keys('b', 'parts/'), ...keys('b', 'endpoints/')], []);
  await assert.rejects(one.cluster.removeNetwork(idOf('a')), isError('not-found', /not found/));
});

test(
  'a network with IPv6 gives each host a part of both subnets, and keeps that while etcd is away',
  host,
  async () => {
    await using one = await openHost(etcd, 'server1', at('e'));
    const two = await openHost(etcd, 'server2', at('e'));
    const made = await one.cluster.createNetwork(request('back', 'a', { ipv6: {} }));
    assert.deepEqual(made.ipv6, { subnet: 'fdaa:aaaa:aaaa::/48', partSize: 64 });
    for (const each of [one, two]) {
      await until(each, 'its part', hasPart(each, 'a'));
      await until(each, 'the other part', () => find(each, 'a')?.parts.length === 1);
    }
    const [own, other] = [find(one, 'a'), find(two, 'a')];
    const number = Number(own?.part?.split('.')[2]).toString(16);
    assert.equal(own?.ipv6?.part, number === '0' ? 'fdaa:aaaa:aaaa::/64' : `fdaa:aaaa:aaaa:${number}::/64`);
    assert.deepEqual(own?.parts, [{ host: 'server2', subnets: [other?.part, other?.ipv6?.part] }]);
    assert.deepEqual(other?.parts, [{ host: 'server1', subnets: [own?.part, own?.ipv6?.part] }]);
    await assert.rejects(
      two.cluster.createNetwork(request('b', 'b', { ipv6: { subnet: 'fdaa:aaaa:aaaa:5::/64' } })),
      isError('forbidden', /overlaps with fdaa:aaaa:aaaa::\/48 of network back$/),
    );
    const same = await two.cluster.createNetwork({
      ...request('b', 'a', { ipv6: {} }),
      id: `${'a'.repeat(10)}${'b'.repeat(54)}`,
    });
    assert.equal(same.ipv6?.subnet, 'fdbb:bbbb:bbbb::/48', 'the next digits of the id, where the first ones are taken');
    const web = {
      ...{ networkId: idOf('a'), containerId: idOf('1'), name: 'web', address: '10.128.1.2', names: ['web'] },
      ipv6Address: 'fdaa:aaaa:aaaa:1::2',
    };
    two.cluster.publishEndpoints([web]);
    await until(one, 'the container', () => one.cluster.endpoints().length === 1);
    assert.deepEqual(one.cluster.endpoints(), [{ ...web, host: 'server2' }]);
    await two.cluster.close();
    await using offline = await openHost(etcd, 'server2', at('e'));
    assert.deepEqual(find(offline, 'a')?.ipv6, other?.ipv6, 'after a restart');
  },
);

test('a part outlives a restart; one that another program deleted is claimed again', host, async () => {
  await using two = await openHost(etcd, 'server2', at('c'));
  const first = await openHost(etcd, 'server1', at('c'));
  await first.cluster.createNetwork(request('back', 'a'));
  await until(first, 'its part', hasPart(first, 'a'));
  const { part = '' } = find(first, 'a') ?? {};
  await until(two, 'the part', () => find(two, 'a')?.parts.some(({ subnets }) => subnets[0] === part) === true);
  await first.cluster.close();
  etcd.etcdctl('del', `/netyard/c/parts/${idOf('a')}/${part.replace('/', '-')}`);
  await until(two, 'no part', () => find(two, 'a')?.parts.length === 0);
  await using again = await openHost(etcd, 'server1', at('c'));
  await until(again, 'the same part', () => find(again, 'a')?.part === part);
  etcd.etcdctl('del', `/netyard/c/parts/${idOf('a')}/${part.replace('/', '-')}`);
  await until(two, 'claimed again', () => find(two, 'a')?.parts.some(({ subnets }) => subnets[0] === part) === true);
  etcd.etcdctl('put', `/netyard/c/parts/${idOf('a')}/10.128.0.0-24`, 'nonsense');
  await until(two, 'the problem', () => two.cluster.problems().length === 1);
  await until(again, 'its part', () => find(again, 'a')?.part === part);
});

test('a network without a free part is reported by the host that gets none, until one is free', host, async () => {
  await using one = await openHost(etcd, 'server1', at('d'));
  await using two = await openHost(etcd, 'server2', at('d'));
  await one.cluster.createNetwork(request('small', 'a', { subnet: '10.9.0.0/29', partSize: 29 }));
  // Either may get the part, and `until` looks at the changes of one.
  while (![one, two].some((each) => hasPart(each, 'a')())) await sleep(10);
  const [winner, loser] = hasPart(one, 'a')() ? [one, two] : [two, one];
  const isReported = () => loser.log.some(({ message }) => message === 'no part of a network is left for this host');
  await until(loser, 'the part of the other', () => find(loser, 'a')?.parts.length === 1);
  while (!isReported()) await sleep(10);
  await winner.cluster.leave();
  await until(loser, 'the part', hasPart(loser, 'a'));
  await loser.cluster.leave();
  assert.deepEqual(keys('d', ''), [], 'the last host to leave removes everything');
});
