/** Differences of two states, as commands. What they do to a kernel is tested in packages/daemon/test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffStates } from './diff.ts';
import type { ChainRule, StateItem } from './item.ts';

const link = (name: string, mtu: number): StateItem => ({
  ...{
    key: `link ${name}`,
    create: [`add ${name} ${mtu}`],
    change: [`set ${name} ${mtu}`],
    remove: [`delete ${name}`],
  },
});
const address = (name: string, text: string): StateItem => ({
  ...{ key: `address ${name} ${text}`, of: `link ${name}` },
  ...{ create: [`add ${text} ${name}`], remove: [`delete ${text} ${name}`] },
});
const subnet = (name: string, text: string): StateItem => ({
  ...{ key: `route ${text}`, of: `address ${name} ${text}`, derived: true },
  ...{ create: [`add route ${text}`], remove: [`delete route ${text}`] },
});
const chain: StateItem = { key: 'chain ip t c', create: ['nft add chain ip t c'], remove: ['nft delete chain ip t c'] };
const rules = (...list: ChainRule[]): StateItem => ({
  ...{ key: 'rules ip t c', of: chain.key, create: [], remove: [], rules: list },
});

test('equal states have no difference', async () => {
  const state = [link('a', 1500), address('a', '10.0.0.1/8'), chain, rules(['accept', 2])];
  assert.deepEqual(await diffStates(state, state), []);
  assert.deepEqual(await diffStates([chain, rules(['accept', 2])], [chain, rules(['accept', 9])]), []);
});

test('what disappears and appears with another part has no command of its own', async () => {
  const all = [link('a', 1500), address('a', '10.0.0.0/8'), subnet('a', '10.0.0.0/8')];
  assert.deepEqual(await diffStates(all, []), ['delete a']);
  assert.deepEqual(await diffStates([], all), ['add a 1500', 'add 10.0.0.0/8 a']);
  assert.deepEqual(await diffStates(all, all.slice(0, 2)), ['delete route 10.0.0.0/8']);
  assert.deepEqual(await diffStates(all.slice(0, 2), all), ['add route 10.0.0.0/8']);
});

test('a part that can be changed is changed, others are removed and created again', async () => {
  assert.deepEqual(await diffStates([link('a', 1500)], [link('a', 1400)]), ['set a 1400']);
  const former = { ...chain, create: ['nft add chain ip t c old'] };
  assert.deepEqual(await diffStates([former], [chain]), ['nft delete chain ip t c', 'nft add chain ip t c']);
  // With its contents.
  assert.deepEqual(await diffStates([former, rules(['accept', 2])], [chain, rules(['accept', 3])]), [
    ...['nft delete chain ip t c', 'nft add chain ip t c', "nft add rule ip t c 'accept'"],
  ]);
});

test('a part of a container that would only be created in another way is not different', async () => {
  const namespace: StateItem = { key: 'netns a', create: ['add a'], remove: ['delete a'] };
  const pair = (create: string, change: string): StateItem => ({
    ...{ key: 'veth ny1', of: namespace.key, create: [create], change: [change], remove: ['delete ny1'] },
  });
  const diff = async (a: StateItem, b: StateItem): Promise<string[]> =>
    await diffStates([namespace, a], [namespace, b]);
  assert.deepEqual(await diff(pair('add', 'set up'), pair('add without IPv6', 'set up')), []);
  assert.deepEqual(await diff(pair('add', 'set up'), pair('add without IPv6', 'set down')), ['set down']);
  assert.deepEqual(await diffStates([namespace], [namespace, pair('add without IPv6', 'set up')]), [
    'add without IPv6',
  ]);
});

test('rules that are not in both states are deleted and inserted where they belong', async () => {
  const diff = async (a: ChainRule[], b: ChainRule[]): Promise<string[]> =>
    await diffStates([chain, rules(...a)], [chain, rules(...b)]);
  const [one, two, three]: [ChainRule, ChainRule, ChainRule] = [
    ['one', 1],
    ['two', 2],
    ['three', 3],
  ];
  assert.deepEqual(await diff([one, two, three], [one, three]), ['nft delete rule ip t c handle 2']);
  assert.deepEqual(await diff([one, three], [one, two, three]), ["nft insert rule ip t c position 3 'two'"]);
  assert.deepEqual(await diff([two], [one, two, three]), [
    ...["nft insert rule ip t c position 2 'one'", "nft add rule ip t c 'three'"],
  ]);
  assert.equal((await diff([one, two], [two, one])).length, 2);
  assert.deepEqual(await diffStates([chain, rules(one, two)], [chain]), [
    ...['nft delete rule ip t c handle 1', 'nft delete rule ip t c handle 2'],
  ]);
});
