import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { parseInterfaceArgument } from './interface-argument.ts';
import { planPair } from './plan.ts';

test('interface arguments have a namespace, a name and addresses', () => {
  assert.deepEqual(parseInterfaceArgument('r1:eth0=10.1.1.1/24'), {
    ns: 'r1',
    link: 'eth0',
    addresses: ['10.1.1.1/24'],
  });
  assert.deepEqual(parseInterfaceArgument(':veth1.1'), { ns: '', link: 'veth1.1', addresses: [] });
  assert.deepEqual(parseInterfaceArgument('eth0=10.1.1.1/24,fd00::1/64').addresses, ['10.1.1.1/24', 'fd00::1/64']);
  for (const text of [
    '',
    'r1:',
    'r1:=10.1.1.1/24',
    'r1:eth0=10.1.1.1',
    'r1:eth0=',
    'r1:a:b',
    'r1:sixteen--letters',
    '..',
    'a b',
  ]) {
    assert.throws(
      () => parseInterfaceArgument(text),
      (error) => isNetyardError(error, 'invalid'),
      text,
    );
  }
});

test('a veth pair is created with its ends in their namespaces', () => {
  const pathOf = (name: string): string | undefined => (name === '' ? undefined : `/run/netns/${name}`);
  const plan = planPair(
    parseInterfaceArgument(':veth1.1=10.1.1.1/24'),
    parseInterfaceArgument('r2:eth0=10.1.1.2/24'),
    pathOf,
    true,
  );
  assert.deepEqual(plan.objects, [
    { kind: 'veth', name: 'veth1.1', up: true, peer: { ns: '/run/netns/r2', name: 'eth0', up: true } },
    { kind: 'address', link: 'veth1.1', prefix: '10.1.1.1/24' },
    { kind: 'address', ns: '/run/netns/r2', link: 'eth0', prefix: '10.1.1.2/24' },
  ]);
});
