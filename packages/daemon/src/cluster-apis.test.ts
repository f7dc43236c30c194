/** Which API of a cluster's host is used, and the errors when there is none. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cluster, ClusterHost } from '@netyard/cluster';
import { isNetyardError, NetyardError } from '@netyard/core';
import { checkClusterApi, clusterApi, unannounced } from './cluster-apis.ts';
import { planConfig } from './config.ts';
import { unanswered } from './peer-errors.ts';

const host = (name: string, more: Partial<ClusterHost> = {}): ClusterHost => ({
  ...{ name, address: '172.16.0.12', subnets: [], since: 0n, self: false },
  ...more,
});
const clusterOf = (...hosts: ClusterHost[]): Cluster => ({ hosts: () => hosts }) as unknown as Cluster;

function configOf(flags: Record<string, unknown> = {}) {
  const { cluster } = planConfig({ cluster: 'etcd://10.0.0.1', ...flags }, {}, {});
  assert.ok(cluster);
  return cluster;
}
const files = { 'cluster-api-ca': '/ca', 'cluster-api-cert': '/cert', 'cluster-api-key': '/key' };
const tls = { tlsverify: true, tlscacert: '/a', tlscert: '/b', tlskey: '/c' };
const url = 'https://172.16.0.12:2376';

const refuses = (code: 'conflict' | 'not-found' | 'invalid', pattern: RegExp) => (error: unknown) =>
  isNetyardError(error, code) && pattern.test(`${error.message} ${error.hint ?? ''}`);

test('the announced address is used with our files; otherwise the error says what to do on which host', () => {
  const cluster = clusterOf(
    ...[host('node1', { self: true, api: url }), host('node2', { api: url }), host('node3')],
    host('liar', { refusedApi: 'https://10.0.0.9:2376' }),
  );
  const config = configOf(files);
  assert.deepEqual(clusterApi(cluster, config, 'node2'), { url, ca: '/ca', certificate: '/cert', key: '/key' });
  assert.throws(
    () => clusterApi(cluster, configOf(), 'node2'),
    refuses('conflict', /this host has .* start this daemon with --cl/),
  );
  assert.throws(
    () => clusterApi(cluster, config, 'node3'),
    refuses('conflict', /announces no API .* on node3 start the daemon/),
  );
  assert.throws(
    () => clusterApi(cluster, config, 'liar'),
    refuses('conflict', /"https:\/\/10\.0\.0\.9:2376" on liar use https/),
  );
  for (const name of ['node1', 'node9'])
    assert.throws(() => clusterApi(cluster, config, name), refuses('not-found', /No such host/));
});

test('a daemon that no other host can reach gets a warning', () => {
  const self = host('node1', { self: true });
  const local = configOf({ ...tls, hosts: ['tcp://127.0.0.1:2376'] });
  assert.match(
    unannounced(clusterOf(self), local),
    /know this host as 172\.16\.0\.12, but it listens on 127\.0\.0\.1:2376/,
  );
  assert.equal(unannounced(clusterOf({ ...self, api: url }), local), '');
  assert.equal(unannounced(clusterOf(self), configOf()), '');
});

test('files are checked before anything starts: they exist, are PEM, and the key is readable by root only', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-cluster-api-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const key = join(folder, 'key.pem');
  const config = configOf({ ...files, 'cluster-api-ca': key, 'cluster-api-cert': key, 'cluster-api-key': key });
  const refused = (pattern: RegExp) =>
    assert.throws(() => checkClusterApi(config), refuses('invalid', pattern), String(pattern));
  refused(/^--cluster-api-key: stat .*key\.pem: no such file or directory/);
  writeFileSync(key, 'no key', { mode: 0o644 });
  refused(/users other than root can read the key .*chmod 600/);
  chmodSync(key, 0o600);
  if (process.getuid?.() === 0) refused(/cannot be used: /);
  assert.doesNotThrow(() => checkClusterApi(configOf()));
});

test('the error of a failed request has its cause', () => {
  const api = { url, ca: '/ca', certificate: '/cert', key: '/key' };
  const messageFor = (code: string): string => {
    const cause = Object.assign(new Error('said by OpenSSL'), { code });
    const { message, hint } = unanswered(
      'node2',
      api,
      new NetyardError('unavailable', 'error during connect', { cause }),
    );
    return `${message}: ${hint}`;
  };
  for (const code of ['ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_HAS_EXPIRED'])
    assert.match(messageFor(code), /node2 is not trusted: said by OpenSSL: use a certificate at .* authority of \/ca$/);
  for (const code of ['ECONNRESET', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'])
    assert.match(messageFor(code), /node2 closed the connection without a response: .* signed \/cert$/);
  assert.match(messageFor('ECONNREFUSED'), /node2 does not respond: error during connect: check that/);
});
