/** Authentication: certificates of both sides, users and passwords, expiring tokens. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNetyardError } from '@netyard/core';
import { inFreshHost } from '@netyard/testkit';
import { openHost, others, until } from './members.ts';
import { makeCertificates, startEtcd } from './private-etcd.ts';

const host = inFreshHost(import.meta.url);
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'netyard-certificates-'));
  makeCertificates(folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');
const credentials = (ca: string, owner?: string) => ({
  tls: { ca: pem(`${ca}.pem`), ...(owner ? { certificate: pem(`${owner}.pem`), key: pem(`${owner}.key`) } : {}) },
});
const refused = (pattern: RegExp) => (error: unknown) =>
  isNetyardError(error, 'unauthorized') && pattern.test(`${error.message}\n${error.hint ?? ''}`);

test('TLS with client certificates; every invalid certificate is rejected with its reason', host, async () => {
  const file = (name: string): string => join(folder, name);
  await using etcd = await startEtcd({
    scheme: 'https',
    flags: [
      ...['--cert-file', file('server.pem'), '--key-file', file('server.key')],
      ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
    ],
    client: ['--cacert', file('ca.pem'), '--cert', file('client.pem'), '--key', file('client.key')],
  });
  await using one = await openHost(etcd, 'server1', credentials('ca', 'client'));
  await using _two = await openHost(etcd, 'server2', credentials('ca', 'client'));
  await until(one, 'server2', () => others(one).length === 1);
  const open = (access: object) => openHost(etcd, 'server3', access);
  await assert.rejects(
    open(credentials('other', 'client')),
    refused(/invalid certificate of etcd at 127\.0\.0\.1:2379: .*\nset --cluster-ca/),
  );
  await assert.rejects(
    open(credentials('ca')),
    refused(/rejects this host's certificate: .*bad certificate.*\nset --cluster-cert/),
  );
  await assert.rejects(open(credentials('ca', 'foreign')), refused(/rejects this host's certificate/));
  const named = etcd.url.replace('127.0.0.1', 'localhost');
  await assert.rejects(open({ ...credentials('ca', 'client'), url: named }), refused(/localhost:2379: .*altnames/));
  await assert.rejects(open({}), (error) => isNetyardError(error, 'unavailable') && /uses TLS/.test(error.hint ?? ''));
  // also for a former member: an invalid certificate is not an outage
  await one.cluster.close();
  await assert.rejects(openHost(etcd, 'server1', credentials('other', 'client')), refused(/invalid certificate/));
});

test('wrong, missing and unprivileged users are rejected; an expired token is requested again', host, async () => {
  await using etcd = await startEtcd({ flags: ['--auth-token-ttl', '2'], client: ['--user', 'root:top secret'] });
  const asFirst = (...words: string[]): void => void etcd.etcdctl(...words, '--user=');
  asFirst('user', 'add', 'root:top secret');
  asFirst('role', 'add', 'root');
  asFirst('user', 'grant-role', 'root', 'root');
  asFirst('user', 'add', 'netyard:a@b%c');
  asFirst('role', 'add', 'netyard');
  asFirst('role', 'grant-permission', '--prefix=true', 'netyard', 'readwrite', '/netyard/netyard/');
  asFirst('user', 'grant-role', 'netyard', 'netyard');
  asFirst('auth', 'enable');
  const as = (user: string, cluster = ''): { url: string } => ({ url: `etcd://${user}127.0.0.1:2379${cluster}` });
  await using one = await openHost(etcd, 'server1', as('netyard:a%40b%25c@'));
  await using two = await openHost(etcd, 'server2', as('netyard:a%40b%25c@'));
  await assert.rejects(openHost(etcd, 'server3', as('netyard:wrong@')), refused(/rejects the user or the password/));
  await assert.rejects(openHost(etcd, 'server3', as('unknown:x@')), refused(/rejects the user or the password/));
  await assert.rejects(openHost(etcd, 'server3', as('')), refused(/requires a user and a password/));
  await assert.rejects(
    openHost(etcd, 'server3', as('netyard:a%40b%25c@', '/elsewhere')),
    (error) => isNetyardError(error, 'forbidden') && /readwrite on the prefix/.test(error.hint ?? ''),
  );
  await sleep(4_000); // the token of 2 s has expired
  one.cluster.publish([{ name: 'web', containerId: 'c1', address: '192.168.9.2' }]);
  await until(two, 'the name', () => two.cluster.names().length === 1);
  assert.deepEqual(
    one.reported.filter(({ type }) => type === 'connection'),
    [],
    'the connection was never given up for it',
  );
  await one.cluster.leave();
  await until(two, 'server1 left', () => others(two).length === 0);
});

test('a password is ignored by an etcd without users; TLS to an etcd without TLS is rejected', host, async () => {
  await using etcd = await startEtcd();
  await using one = await openHost(etcd, 'server1', { url: 'etcd://any:body@127.0.0.1:2379' });
  assert.equal(one.cluster.view().connection, 'connected');
  await assert.rejects(
    openHost(etcd, 'server2', credentials('ca', 'client')),
    (error) => isNetyardError(error, 'unavailable') && /uses TLS/.test(error.hint ?? ''),
  );
});
