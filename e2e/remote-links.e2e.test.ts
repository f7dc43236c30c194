/** `--link server2/nginx-1:web1` without a cluster: Netyard queries and follows the peer's API over TLS. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { linksOf } from './support/container-links.ts';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';
import { takeInventory } from './support/leftovers.ts';

const addresses = { server1: '172.16.2.101', server2: '172.16.2.102', server3: '172.16.2.103' };

describe('links to a peer’s containers', { skip: cannotRun('netyard') }, () => {
  let server1: TestHost;
  let server2: TestHost;
  let certificates: Certificates;
  let others: Certificates;
  before(async () => {
    certificates = makeCertificates(addresses);
    others = makeCertificates(addresses);
    const tls = ['--tlscert', certificates.certificate('server2'), '--tlskey', certificates.key('server2')];
    const [first, second] = await openHosts('netyard', ['server1', 'server2'], {
      images: ['netyard-test'],
      bips: ['192.168.11.1/24', '192.168.12.1/24'],
      daemonOptions: ['-H', 'tcp://0.0.0.0:2376', '--tlsverify', '--tlscacert', certificates.ca, ...tls],
    });
    assert.ok(first && second);
    [server1, server2] = [first, second];
    await server2.netyard('peer', 'add', 'server1', '--address', '172.16.2.101', '--subnet', '192.168.11.0/24');
  });
  after(async () => {
    await server1.close();
    certificates.remove();
    others.remove();
  });

  const plain = ['peer', 'add', 'server2', '--address', '172.16.2.102', '--subnet', '192.168.12.0/24'];
  const withApi = (files: Certificates): string[] => [
    ...[...plain, '--api', 'https://172.16.2.102:2376', '--api-ca', files.ca],
    ...['--api-cert', files.certificate('server1'), '--api-key', files.key('server1')],
  ];
  const serve = 'mkdir -p /www && echo page of $HOSTNAME > /www/index.html && exec httpd -f -p 80 -h /www';
  const runTarget = (): Promise<string> =>
    server2.docker('run', '-d', '--name', 'nginx-1', 'netyard-test', 'sh', '-c', serve);
  /** Repeated until the server listens. */
  const page =
    "for i in $(seq 600); do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc web1 80 && exit; sleep 0.1; done; exit 1";
  const lines = async (): Promise<string[]> =>
    (await server1.docker('exec', 'parent', 'cat', '/etc/hosts')).split('\n').filter((line) => line.includes('web1'));
  const linkTo = (target: string) =>
    server1.tryDocker('run', '-d', '--name', 'parent', '--link', target, 'netyard-test', 'sleep', '10000');

  test('invalid links and peers are rejected without changes, with a hint', async () => {
    const initial = await takeInventory(server1);
    const unknown = await linkTo('server2/nginx-1:web1');
    assert.match(unknown.stderr, /could not get container for server2\/nginx-1: No such container: server2\/nginx-1/);
    chmodSync(certificates.key('server1'), 0o640);
    const open = await server1.tryNetyard(...withApi(certificates));
    chmodSync(certificates.key('server1'), 0o600);
    assert.match(open.stderr, /users other than root can read the key .*server1\.key\n.*chmod 600/s);
    const http = await server1.tryNetyard(
      ...plain,
      '--api',
      'http://172.16.2.102:2376',
      ...withApi(certificates).slice(-6),
    );
    assert.match(http.stderr, /requires TLS/);
    const half = await server1.tryNetyard(...plain, '--api', 'https://172.16.2.102:2376');
    assert.match(half.stderr, /needs all of --api, --api-ca, --api-cert and --api-key/);
    assert.equal(await server1.netyard('peer', 'ls', '-q'), '');
    assert.deepEqual(await takeInventory(server1), initial);
    await server1.netyard(...plain);
    const without = await linkTo('server2/nginx-1:web1');
    assert.match(without.stderr, /peer server2 was added without the address of its API/);
    await server1.netyard('peer', 'rm', 'server2');
    await server1.netyard(...withApi(others));
    const untrusted = await linkTo('server2/nginx-1:web1');
    assert.match(untrusted.stderr, /the API of peer server2 is not trusted: .*certificate/);
    await server1.netyard('peer', 'rm', 'server2');
    assert.equal(await server1.docker('ps', '-aq'), '');
  });

  test('the alias reaches the peer’s container, and inspect shows the link', async () => {
    await server1.netyard(...withApi(certificates));
    assert.equal(
      await server1.netyard('peer', 'inspect', '-f', '{{.Api.Url}}', 'server2'),
      'https://172.16.2.102:2376',
    );
    const missing = await linkTo('server2/nginx-1:web1');
    assert.match(missing.stderr, /No such container: nginx-1 on server2/);
    const id = await runTarget();
    const linked = await linkTo('server2/nginx-1:web1');
    assert.equal(linked.status, 0, linked.stderr);
    assert.deepEqual(await lines(), [`192.168.12.2\tweb1 ${id.slice(0, 12)} nginx-1`]);
    assert.match(await server1.docker('exec', 'parent', 'sh', '-c', page), new RegExp(`page of ${id.slice(0, 12)}`));
    assert.deepEqual(await linksOf(server1, 'parent'), ['/server2/nginx-1:/parent/web1']);
  });

  /** Restarts the target while another container has its former address. */
  async function moveTarget(): Promise<number> {
    await server2.docker('stop', '-t', '0', 'nginx-1');
    await server2.docker('run', '-d', 'netyard-test', 'sleep', '10000');
    await server2.docker('start', 'nginx-1');
    return Date.now();
  }
  const targetAddress = (): Promise<string> =>
    server2.docker('inspect', '-f', '{{.NetworkSettings.Networks.bridge.IPAddress}}', 'nginx-1');
  const follows = async (): Promise<boolean> => (await lines())[0]?.startsWith(`${await targetAddress()}\t`) === true;

  test('a link follows the new address of a restarted target, in the same file', async () => {
    const inode = await server1.docker('exec', 'parent', 'stat', '-c', '%i', '/etc/hosts');
    const before = await targetAddress();
    const started = await moveTarget();
    await until(follows, 'the line has the new address');
    console.log(`the line changed ${Date.now() - started} ms after docker start returned`);
    assert.notEqual(await targetAddress(), before);
    assert.equal(await server1.docker('exec', 'parent', 'stat', '-c', '%i', '/etc/hosts'), inode);
    assert.match(await server1.docker('exec', 'parent', 'sh', '-c', page), /page of/);
  });

  test('a link keeps its line when the target is removed, and follows a new container of that name', async () => {
    const [line = ''] = await lines();
    await server2.docker('rm', '-f', 'nginx-1');
    assert.deepEqual(await lines(), [line]);
    await server1.docker('restart', '-t', '0', 'parent');
    assert.deepEqual(await lines(), [line], 'also after a restart of the parent');
    const id = await runTarget();
    await until(async () => (await lines())[0]?.includes(id.slice(0, 12)) === true, 'the line has the new container');
    assert.ok(await follows());
  });

  test('links are kept while the peer’s daemon is down, and follow again after its start', async () => {
    await server2.killDaemon();
    assert.match(await server1.docker('exec', 'parent', 'sh', '-c', page), /page of/);
    await server1.docker('restart', '-t', '0', 'parent');
    assert.match(await server1.docker('exec', 'parent', 'sh', '-c', page), /page of/, 'while the peer’s API is down');
    await server2.restartDaemon();
    await moveTarget();
    await until(follows, 'the line has the new address after the peer’s start');
  });

  test('a restarted daemon applies changes of the peer that it missed', async () => {
    await server1.killDaemon();
    await moveTarget();
    await server1.restartDaemon();
    await until(follows, 'the line has the new address after the start');
    assert.equal((await lines()).length, 1);
  });

  test('rm --link removes the line, and a removed parent leaves no connection', async () => {
    await server1.docker('rm', '--link', 'parent/web1');
    assert.deepEqual(await lines(), []);
    await server1.docker('rm', '-f', 'parent');
    const connections = (): Promise<string> => server1.sh("ss -Htn state established '( dport = :2376 )'");
    await until(async () => (await connections()) === '', 'the connection to the peer’s API is closed');
  });
});
