/** Who is let in: certificates of both sides, users and passwords, tokens that run out. */
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
const papers = (ca: string, owner?: string) => ({
  tls: { ca: pem(`${ca}.pem`), ...(owner ? { certificate: pem(`${owner}.pem`), key: pem(`${owner}.key`) } : {}) },
});
const refused = (pattern: RegExp) => (error: unknown) =>
  isNetyardError(error, 'unauthorized') && pattern.test(`${error.message}\n${error.hint ?? ''}`);

test('TLS with client certificates; every wrong paper is refused with its reason', host, async () => {
  const file = (name: string): string => join(folder, name);
  await using etcd = await startEtcd({
    scheme: 'https',
    flags: [
      ...['--cert-file', file('server.pem'), '--key-file', file('server.key')],
      ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
    ],
    client: ['--cacert', file('ca.pem'), '--cert', file('client.pem'), '--key', file('client.key')],
  });
  await using one = await openHost(etcd, 'server1', papers('ca', 'client'));
  await using _two = await openHost(etcd, 'server2', papers('ca', 'client'));
  await until(one, 'server2', () => others(one).length === 1);
  const open = (papers_: object) => openHost(etcd, 'server3', papers_);
  await assert.rejects(
    open(papers('other', 'client')),
    refused(/certificate of etcd at 127\.0\.0\.1:2379 is refused: .*\n--cluster-ca/),
  );
  await assert.rejects(
    open(papers('ca')),
    refused(/refuses this host's certificate: .*bad certificate.*\ngive --cluster-cert/),
  );
  await assert.rejects(open(papers('ca', 'stranger')), refused(/refuses this host's certificate/));
  const named = etcd.url.replace('127.0.0.1', 'localhost');
  await assert.rejects(
    open({ ...papers('ca', 'client'), url: named }),
    refused(/localhost:2379 is refused: .*altnames/),
  );
  await assert.rejects(open({}), (error) => isNetyardError(error, 'unavailable') && /want TLS/.test(error.hint ?? ''));
  // also for one that was a member before: a wrong paper is no outage
  await one.cluster.close();
  await assert.rejects(openHost(etcd, 'server1', papers('other', 'client')), refused(/is refused/));
});

test('users: a wrong password, none, one without a role; a token that ran out is asked for again', host, async () => {
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
  await assert.rejects(openHost(etcd, 'server3', as('netyard:wrong@')), refused(/refuses the user or the password/));
  await assert.rejects(openHost(etcd, 'server3', as('nobody:x@')), refused(/refuses the user or the password/));
  await assert.rejects(openHost(etcd, 'server3', as('')), refused(/wants a user and a password/));
  await assert.rejects(
    openHost(etcd, 'server3', as('netyard:a%40b%25c@', '/elsewhere')),
    (error) => isNetyardError(error, 'forbidden') && /readwrite on the prefix/.test(error.hint ?? ''),
  );
  await sleep(4_000); // the token of 2 s has run out
  one.cluster.publish([{ name: 'web', containerId: 'c1', address: '192.168.9.2' }]);
  await until(two, 'the name', () => two.cluster.names().length === 1);
  assert.deepEqual(
    one.told.filter(({ type }) => type === 'connection'),
    [],
    'the connection was never given up for it',
  );
  await one.cluster.leave();
  await until(two, 'server1 left', () => others(two).length === 0);
});

test('a password for an etcd that knows no users, TLS for one that speaks none', host, async () => {
  await using etcd = await startEtcd();
  await using one = await openHost(etcd, 'server1', { url: 'etcd://any:body@127.0.0.1:2379' });
  assert.equal(one.cluster.view().connection, 'connected');
  await assert.rejects(
    openHost(etcd, 'server2', papers('ca', 'client')),
    (error) => isNetyardError(error, 'unavailable') && /speak TLS/.test(error.hint ?? ''),
  );
});
