/** Entries of repairs, of peers and of an engine's events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import { describeRepairs, interfacesOf } from './repairs.ts';

const printer = {
  describe: (object: KernelObject) => `${object.kind} ${'to' in object ? object.to : ''}`,
  printCommands: ({ object }: KernelOperation) => ('to' in object ? [`ip route add ${object.to}`] : []),
};
const route = (to: string): KernelObject => ({ kind: 'route', to, link: 'docker0' });
const context = { object: 'network bridge', names: ['bridge'], printer, peersOf: () => [], explain: () => '' };

test('each object has a sentence: what was found, and the command that repaired it', () => {
  const actions = ['create', 'change', 'delete'] as const;
  const repairs = describeRepairs(
    actions.map((action) => ({
      ...{ action, object: route('10.0.0.0/8') },
      ...(action === 'change' ? { found: 'via 10.0.0.1' } : {}),
    })),
    { ...context, peersOf: () => ['b'] },
  );
  const entries = repairs.map(({ entry }) => entry);
  assert.deepEqual(
    entries.map(({ text }) => text),
    [
      'route 10.0.0.0/8 was missing; repaired by: ip route add 10.0.0.0/8',
      'route 10.0.0.0/8 was different (via 10.0.0.1); repaired by: ip route add 10.0.0.0/8',
      'route 10.0.0.0/8 was in no plan; deleted by: ip route add 10.0.0.0/8',
    ],
  );
  assert.deepEqual(entries[0]?.names, ['bridge', 'docker0', 'b']);
  assert.deepEqual(entries[0]?.commands, ['ip route add 10.0.0.0/8']);
});

test('of an event with thousands of objects, the first have an entry each and the others one together', () => {
  const operations = Array.from(
    { length: 5000 },
    (_, index): KernelOperation => ({
      ...{ action: 'create', object: route(`10.0.${index >> 8}.${index & 255}`) },
    }),
  );
  const entries = describeRepairs(operations, context);
  assert.equal(entries.length, 51);
  assert.equal(entries.at(-1)?.entry.text, '4950 more objects were repaired: 4950 route');
});

test('an object is found by the names of its interfaces', () => {
  const veth: KernelObject = { kind: 'veth', name: 'ny1', up: true, peer: { name: 'eth0', up: true } };
  assert.deepEqual(interfacesOf(veth), ['ny1', 'eth0']);
  const sysctl = (key: string): KernelObject => ({ kind: 'sysctl', key, value: '1' });
  assert.deepEqual(interfacesOf(sysctl('net.ipv4.conf.eth0.10.forwarding')), ['eth0.10']);
  assert.deepEqual(interfacesOf(sysctl('net.ipv4.ip_forward')), []);
});
