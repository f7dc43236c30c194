/** Entries of other programs' changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeAuthor, NetworkChange } from '@netyard/kernel';
import { ForeignChanges } from './foreign.ts';
import { ForeignRate } from './foreign-rate.ts';

const second = 1_000_000_000n;
const link = { name: 'docker0', up: true, mtu: 1500, index: 3 };
const address = (author: ChangeAuthor, action: 'new' | 'del' = 'del'): NetworkChange => ({
  ...{ type: 'address', action, author, prefix: '172.17.0.1/16', linkIndex: 3 },
});
const rule = (action: 'new' | 'del'): NetworkChange => ({
  type: 'nft',
  action,
  what: 'rule',
  family: 'ip',
  table: 't',
});

function openChanges(): ForeignChanges {
  const changes = new ForeignChanges();
  changes.learn([link]);
  return changes;
}

test('own changes and consequences of others have no entry', () => {
  const changes = openChanges();
  assert.equal(changes.take(address('self'), 0n), undefined);
  assert.equal(changes.take(address('kernel'), 0n), undefined);
  assert.equal(changes.take(rule('new'), 0n), undefined);
  assert.equal(changes.take({ type: 'nft-commit', author: 'self' }, 0n), undefined);
  // What was part of the own transaction is not in the next one.
  assert.equal(changes.take({ type: 'nft-commit', author: { program: 'nft' } }, 0n), undefined);
});

test('the program is named as far as it is known', () => {
  const text = (author: ChangeAuthor): string | undefined => openChanges().take(address(author), 0n)?.entry.text;
  const what = 'address 172.17.0.1/16 on docker0 deleted by';
  assert.equal(text({ pid: 8, program: 'ip', command: 'ip -b' }), `${what} ip (process 8: ip -b)`);
  assert.equal(text({ pid: 8 }), `${what} process 8, which has ended`);
  assert.equal(text({}), `${what} a program that the kernel does not name`);
});

test('a transaction of the firewall is one entry with its counts', () => {
  const changes = openChanges();
  for (const action of ['del', 'del', 'new'] as const) changes.take(rule(action), 0n);
  const found = changes.take({ type: 'nft-commit', author: { program: 'iptables' } }, 0n);
  assert.equal(found?.entry.text, 'firewall 2 rules of ip t deleted; 1 rule of ip t added by iptables');
  assert.deepEqual(found?.entry.names, ['t', 'ip t', 'iptables']);
});

test('of an interface, changes of its state have an entry, and other notifications have none', () => {
  const changes = openChanges();
  const { index } = link;
  const changed = (more: object): string | undefined =>
    changes.take({ type: 'link', action: 'new', ...link, ...more }, 0n)?.entry.text;
  assert.equal(changed({}), undefined);
  assert.equal(changed({ up: false, mtu: 1400 }), 'interface docker0 set down, MTU changed from 1500 to 1400');
  assert.equal(changed({ up: false, mtu: 1400, name: 'br9' }), 'interface br9 renamed from docker0');
  assert.equal(changes.take({ type: 'link', action: 'del', ...link, name: 'br9', index }, 0n)?.link, 'br9');
});

test('a repair is explained by the change before it, for a minute', () => {
  const changes = openChanges();
  changes.take(address({ program: 'dhclient', pid: 4 }), 0n);
  const object = { kind: 'address', link: 'docker0', prefix: '172.17.0.1/16' } as const;
  assert.equal(changes.explain(object, second), '; deleted by dhclient (process 4)');
  assert.equal(changes.explain(object, 61n * second), '');
  assert.equal(changes.explain({ ...object, ns: '/run/netns/a' }, second), '');
  assert.equal(changes.explain({ ...object, link: 'br1' }, second), '');
});

test('entries are limited, and those beyond are counted', () => {
  const rate = new ForeignRate();
  const within = Array.from({ length: 1000 }, () => rate.isWithin(second)).filter(Boolean);
  assert.equal(within.length, 200);
  assert.deepEqual(rate.takeCount(second), []);
  assert.equal(rate.takeCount(700n * second)[0]?.text, '800 more changes by other programs');
  assert.deepEqual(rate.takeAll(), []);
});
