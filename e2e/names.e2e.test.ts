/** Published names in a cluster on etcd: other hosts resolve them, links follow them, and both work while etcd is down. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { linksOf } from './support/container-links.ts';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';

const noEtcd = spawnSync('etcd', ['--version']).error ? 'etcd is not installed (apt-get install etcd-server)' : false;
const image = 'netyard-test';
const endpoint = '172.16.2.101:2379';

describe('names across hosts', { skip: cannotRun('netyard') || noEtcd }, () => {
  let server1: TestHost;
  let server2: TestHost;
  let server3: TestHost;
  before(async () => {
    const options = ['--cluster', `etcd://${endpoint}`, '--cluster-subnet', '192.168.0.0/16'];
    const hosts = await openHosts('netyard', ['server1', 'server2', 'server3'], {
      daemon: false,
      daemonOptions: options,
    });
    const [first, second, third] = hosts;
    assert.ok(first && second && third);
    [server1, server2, server3] = [first, second, third];
    await startEtcd();
    for (const host of hosts) {
      await host.restartDaemon();
      await host.docker('load', '-q', '-i', archivePath(image));
    }
    await run(server1, 'client');
  });
  after(() => server1.close());

  async function startEtcd(): Promise<void> {
    const line = `exec setsid --fork etcd --data-dir /run/etcd --listen-client-urls http://${endpoint} --advertise-client-urls http://${endpoint} > /run/etcd.log 2>&1`;
    await server1.sh(line);
    const health = ['etcdctl', '--endpoints', `http://${endpoint}`, 'endpoint', 'health'];
    await until(async () => (await server1.run(health)).status === 0, 'etcd answers');
  }
  const killEtcd = (): Promise<string> => server1.sh('kill -9 $(pidof etcd)');

  const serve = 'mkdir -p /www && echo page of $HOSTNAME > /www/index.html && exec httpd -f -p 80 -h /www';
  const run = (host: TestHost, name: string, ...options: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, ...options, image, 'sh', '-c', serve);
  const label = ['--label', 'netyard.publish-name=true'];
  const addressOf = (host: TestHost, name: string): Promise<string> =>
    host.docker('inspect', '-f', '{{.NetworkSettings.Networks.bridge.IPAddress}}', name);
  const lookUp = async (name: string, host = server1, from = 'client'): Promise<string> => {
    const { stdout } = await host.tryDocker('exec', from, 'busybox', 'nslookup', name, '127.0.0.11');
    return stdout;
  };
  const resolves = async (name: string, address: string, host = server1, from = 'client'): Promise<boolean> =>
    new RegExp(`^(Address|Name).*[:=] *${address.replaceAll('.', '\\.')}$`, 'm').test(await lookUp(name, host, from));
  /** Repeated until the server listens. */
  const page = (name: string): string =>
    `for i in $(seq 600); do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc ${name} 80 && exit; sleep 0.1; done; exit 1`;
  const linkLines = async (): Promise<string[]> =>
    (await server1.docker('exec', 'parent', 'cat', '/etc/hosts')).split('\n').filter((line) => /\tweb1 /.test(line));
  const linked = async (address: string): Promise<boolean> =>
    (await linkLines())[0]?.startsWith(`${address}\t`) === true;

  test('a published name resolves on other hosts as NAME.HOST and as NAME, an unpublished one does not', async () => {
    const id = await server2.netyard('run', '-d', '--name', 'nginx-1', '--publish-name', image, 'sh', '-c', serve);
    assert.equal(
      await server2.docker('inspect', '-f', '{{json .Config.Labels}}', 'nginx-1'),
      '{"netyard.publish-name":"true"}',
    );
    await run(server2, 'quiet');
    const address = await addressOf(server2, 'nginx-1');
    await until(() => resolves('nginx-1.server2', address), 'the name resolves');
    assert.ok(await resolves('nginx-1', address));
    assert.match(
      await server1.docker('exec', 'client', 'sh', '-c', page('nginx-1')),
      new RegExp(`page of ${id.slice(0, 12)}`),
    );
    assert.match(await server1.docker('exec', 'client', 'ping', '-c', '1', 'nginx-1.server2'), / 0% packet loss/);
    assert.match(await lookUp(address), /nginx-1\.server2/);
    assert.ok(!(await resolves('quiet', await addressOf(server2, 'quiet'))));
    assert.ok(await resolves('nginx-1', address, server2, 'quiet'), 'also on its own host');
    assert.match(await server1.docker('exec', 'client', 'cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11\n/);
  });

  test('invalid published names and links to unpublished ones are rejected with a hint', async () => {
    const bad = await server1.tryDocker('create', '--label', 'netyard.publish-name=maybe', image, 'true');
    assert.match(bad.stderr, /invalid value "maybe" of the label netyard\.publish-name/);
    const dotted = await server1.tryDocker('create', '--name', 'a.b', ...label, image, 'true');
    assert.match(dotted.stderr, /the name a\.b cannot be published to other hosts/);
    const quiet = await server1.tryNetyard('create', '--link', 'server2/quiet:web1', image, 'true');
    assert.match(quiet.stderr, /server2\/quiet: No such container is published by server2\n.*--publish-name/s);
    const unknown = await server1.tryDocker('create', '--link', 'server9/nginx-1', image, 'true');
    assert.match(unknown.stderr, /could not get container for server9\/nginx-1: No such container/);
    assert.equal(await server1.docker('ps', '-a', '--format', '{{.Names}}'), 'client');
  });

  test('a link follows its target’s new address and its move to another host', async () => {
    await run(server1, 'parent', '--link', 'server2/nginx-1:web1');
    assert.ok(await linked(await addressOf(server2, 'nginx-1')));
    assert.deepEqual(await linksOf(server1, 'parent'), ['/server2/nginx-1:/parent/web1']);
    await server2.docker('stop', '-t', '0', 'nginx-1');
    await run(server2, 'replacement');
    await server2.docker('start', 'nginx-1');
    const started = Date.now();
    const address = await addressOf(server2, 'nginx-1');
    await until(() => linked(address), 'the line has the new address');
    console.log(`the line changed ${Date.now() - started} ms after docker start returned`);
    await server2.docker('rm', '-f', 'nginx-1');
    await until(async () => !(await resolves('nginx-1', address)), 'the name does not resolve');
    assert.ok(await linked(address), 'the line stays');
    const id = await run(server3, 'nginx-1', ...label);
    const moved = await addressOf(server3, 'nginx-1');
    await until(() => linked(moved), 'the line has the address on the other host');
    assert.deepEqual(await linkLines(), [`${moved}\tweb1 ${id.slice(0, 12)} nginx-1`]);
    assert.match(await server1.docker('exec', 'parent', 'sh', '-c', page('web1')), new RegExp(id.slice(0, 12)));
  });

  test('a name published on two hosts does not resolve without HOST and is logged; a link uses the host that it names', async () => {
    await run(server2, 'nginx-1', ...label);
    const second = await addressOf(server2, 'nginx-1');
    await until(() => resolves('nginx-1.server2', second), 'both resolve');
    assert.ok(await resolves('nginx-1.server3', await addressOf(server3, 'nginx-1')));
    assert.match(await lookUp('nginx-1'), /NXDOMAIN/);
    const said =
      /a name is not unique in the cluster.*nginx-1\.server2, nginx-1\.server3|nginx-1\.server3, nginx-1\.server2/;
    await until(async () => said.test(await server1.sh(`cat ${server1.dataFolder}/../daemon.log`)), 'the log says why');
    assert.ok(await linked(await addressOf(server3, 'nginx-1')), 'the same container as before');
    await server3.docker('rm', '-f', 'nginx-1');
    await until(() => linked(second), 'the link uses the named host again');
    await until(() => resolves('nginx-1', second), 'the name is unique again');
  });

  test('names and links follow rename, disconnect and connect', async () => {
    const address = await addressOf(server2, 'nginx-1');
    await server2.docker('rename', 'nginx-1', 'nginx-2');
    await until(() => resolves('nginx-2', address), 'the new name');
    await until(async () => !(await resolves('nginx-1', address)), 'not the former name');
    assert.ok(await linked(address), 'the link is kept');
    await server2.docker('network', 'disconnect', 'bridge', 'nginx-2');
    await until(async () => !(await resolves('nginx-2', address)), 'disconnected');
    await server2.docker('network', 'connect', 'bridge', 'nginx-2');
    const next = await addressOf(server2, 'nginx-2');
    await until(() => resolves('nginx-2', next), 'connected');
    await until(() => linked(next), 'the link has the new address');
  });

  test('while etcd is down, names resolve, links work and containers start; changes propagate afterwards', async () => {
    const address = await addressOf(server2, 'nginx-2');
    await killEtcd();
    assert.ok(await resolves('nginx-2.server2', address));
    await server1.docker('restart', '-t', '0', 'parent');
    assert.ok(await linked(address));
    await run(server1, 'late', ...label);
    assert.ok(await resolves('nginx-2.server2', address, server1, 'late'), 'in a new container');
    await server1.killDaemon();
    await server1.restartDaemon();
    assert.ok(await linked(address), 'also after a restart of the daemon');
    await run(server1, 'later', '--link', 'parent:p');
    await startEtcd();
    await until(() => resolves('nginx-2.server2', address), 'names resolve');
    const late = await addressOf(server1, 'late');
    await until(
      () => resolves('late.server1', late, server2, 'quiet'),
      'the container started meanwhile resolves on another host',
    );
  });

  test('queries are refused while the daemon is down and answered after its restart', async () => {
    const address = await addressOf(server2, 'nginx-2');
    const pid = await server1.docker('inspect', '-f', '{{.State.Pid}}', 'client');
    await server1.killDaemon();
    const query = ['busybox', 'nslookup', 'nginx-2', '127.0.0.11'];
    const refused = await server1.run(['nsenter', '--target', pid, '--net', '--mount', '--root', ...query]);
    assert.match(
      refused.stdout + refused.stderr,
      /refused/i,
      'at once, so that the client queries the next name server',
    );
    await server1.restartDaemon();
    await until(() => resolves('nginx-2', address), 'the daemon answers');
  });

  test('names of a host that leaves do not resolve, and links to them keep their line', async () => {
    const address = await addressOf(server2, 'nginx-2');
    await server2.netyard('cluster', 'leave');
    await until(async () => !(await resolves('nginx-2', address)), 'its names do not resolve');
    assert.ok(await linked(address));
  });
});
