import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { checkModeConflicts, formatNetworkMode, type ModeRequest, parseNetworkMode } from './modes.ts';

test('the text of a mode survives a round trip', () => {
  for (const text of ['default', 'bridge', 'host', 'none', 'container:web', 'front-net'])
    assert.equal(formatNetworkMode(parseNetworkMode(text)), text);
  assert.deepEqual(parseNetworkMode(''), { kind: 'default' });
  assert.deepEqual(parseNetworkMode('containers'), { kind: 'network', ref: 'containers' });
});

test('container mode without a name is rejected', () => {
  for (const text of ['container', 'container:'])
    assert.throws(
      () => parseNetworkMode(text),
      (error) =>
        isNetyardError(error, 'invalid') &&
        error.message === 'invalid network mode: invalid container format container:<name|id>',
    );
});

const request = (change: Partial<ModeRequest>): ModeRequest => ({
  mode: { kind: 'container', ref: 'web' },
  hostname: '',
  links: [],
  dns: [],
  extraHosts: [],
  ports: [],
  publishAll: false,
  exposed: [],
  ...change,
});

test('container mode conflicts have the messages of Docker, in its order', () => {
  const ports = [{ protocol: 'tcp' as const, containerPort: 80 }];
  const links = ["container type network can't be used with links. This would result in undefined behavior"];
  const cases: [Partial<ModeRequest>, string][] = [
    [{ hostname: 'h', links: ['x'] }, 'hostname and the network mode'],
    [{ links: ['x'], dns: ['1.1.1.1'] }, links[0] ?? ''],
    [{ dns: ['1.1.1.1'], extraHosts: ['a:1.1.1.1'] }, 'dns and the network mode'],
    [{ extraHosts: ['a:1.1.1.1'], ports }, 'custom host-to-IP mapping and the network mode'],
    [{ ports, exposed: [{ protocol: 'tcp', port: 1 }] }, 'port publishing and the container type network mode'],
    [{ publishAll: true }, 'port publishing and the container type network mode'],
    [{ exposed: [{ protocol: 'tcp', port: 1 }] }, 'port exposing and the container type network mode'],
  ];
  for (const [change, message] of cases)
    assert.throws(
      () => checkModeConflicts(request(change)),
      (error) => isNetyardError(error, 'invalid') && error.message === `conflicting options: ${message}`,
    );
  assert.deepEqual(checkModeConflicts(request({})), []);
});

test('the default hostname does not count as a requested one', () => {
  const containerId = 'c045c82e85bd'.padEnd(64, '0');
  assert.deepEqual(checkModeConflicts(request({ containerId, hostname: 'c045c82e85bd' })), []);
});

test('host mode rejects links and warns about ports', () => {
  assert.throws(
    () => checkModeConflicts(request({ mode: { kind: 'host' }, links: ['x'] })),
    /^NetyardError: conflicting options: host type networking can't be used with links\. This would result in undefined behavior$/,
  );
  const ports = [{ protocol: 'tcp' as const, containerPort: 80 }];
  assert.deepEqual(checkModeConflicts(request({ mode: { kind: 'host' }, ports })), [
    'Published ports are discarded when using host network mode',
  ]);
});
