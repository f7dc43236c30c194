import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { SandboxConfig } from '../contract.ts';
import { parseResolvConf } from '../files/resolv-conf.ts';
import { asksToPublish, checkPublishable } from './published-name.ts';
import { asksOurServer, upstreamsOf } from './resolvers.ts';

test('a publishable name is one DNS label and not localhost', () => {
  for (const name of ['web', 'Web_1', '0', 'a-b', 'a'.repeat(63)]) checkPublishable(name);
  for (const name of ['a.b', 'localhost', 'a'.repeat(64), 'a b', '-a', ''])
    assert.throws(
      () => checkPublishable(name),
      (error) => isNetyardError(error, 'invalid'),
    );
  assert.ok(asksToPublish({ name: 'web' }, true));
  assert.ok(!asksToPublish({ name: 'web' }, false));
  assert.ok(asksToPublish({ name: 'web', publishName: true }, false));
  assert.ok(!asksToPublish({ name: 'web', publishName: false }, true));
  assert.ok(!asksToPublish({ name: 'a.b' }, true));
});

test('containers use the name server unless they serve port 53 or name a loopback resolver', () => {
  const config: Pick<SandboxConfig, 'mode' | 'exposed' | 'ports' | 'dns'> = {
    mode: { kind: 'default' },
    exposed: [],
    ports: [],
    dns: ['192.0.2.1'],
  };
  assert.ok(asksOurServer(config));
  for (const kind of ['host', 'none'] as const) assert.ok(!asksOurServer({ ...config, mode: { kind } }));
  assert.ok(!asksOurServer({ ...config, mode: { kind: 'container', ref: 'x' } }));
  assert.ok(!asksOurServer({ ...config, exposed: [{ protocol: 'udp', port: 53 }] }));
  assert.ok(!asksOurServer({ ...config, ports: [{ protocol: 'tcp', containerPort: 53 }] }));
  assert.ok(!asksOurServer({ ...config, dns: ['127.0.0.1'] }));
  const host = parseResolvConf('nameserver 127.0.0.53\nnameserver 192.0.2.9\n');
  assert.deepEqual(upstreamsOf(['192.0.2.1'], ['192.0.2.2'], host), ['192.0.2.1']);
  assert.deepEqual(upstreamsOf([], ['192.0.2.2'], host), ['192.0.2.2']);
  assert.deepEqual(upstreamsOf([], [], host), ['127.0.0.53', '192.0.2.9']);
});
