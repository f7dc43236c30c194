/**
 * A running daemon of the version before is replaced by this one: containers, links, ports and peers continue, no request
 * fails and no closed port opens.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import {
  type FormerVersion,
  lacksHistory,
  startFormerDaemon,
  stopDaemon,
  unpackFormerVersion,
} from './support/former-version.ts';
import { openHosts, type TestHost, until } from './support/host.ts';
import { type Inventory, takeEmptyInventory, untilInventory } from './support/leftovers.ts';
import {
  datagramEcho,
  keepConnection,
  probeRepeatedly,
  requestRepeatedly,
  sendDatagrams,
  type Traffic,
} from './support/traffic.ts';

const bips = ['192.168.11.1/24', '192.168.12.1/24', '192.168.13.1/24'];
// A link is needed between containers that may not talk freely.
const daemonOptions = ['--icc=false'];
const page = /nginx-app01/;
// The target may start later; from then on each request has to succeed.
const requestForEver = `
request() { wget -q --tries=1 --timeout=60 -O- http://alias/ | grep -q nginx-app01; }
until request; do usleep 50000; done
while :; do
  if request; then echo right; else echo wrong; fi
  usleep 50000
done`;

describe('an upgrade', { skip: cannotRun('netyard') || lacksHistory() }, () => {
  let former: FormerVersion;
  let server1: TestHost;
  let server2: TestHost;
  let outsider: TestHost;
  let untouched: Inventory;
  let address = '';
  let webNetns = '';
  let linkedNetns = '';
  let farNetns = '';
  let recorded = '';
  let containers = '';

  before(async () => {
    former = unpackFormerVersion();
    const hosts = await openHosts('netyard', ['server1', 'server2', 'server3'], {
      ...{ daemon: false, bips, daemonOptions },
    });
    const [first, second, third] = hosts;
    assert.ok(first && second && third);
    [server1, server2, outsider] = [first, second, third];
    await outsider.sh('ip route add 192.168.11.0/24 via 172.16.2.101');
    await outsider.restartDaemon();
    for (const [index, host] of [server1, server2].entries()) {
      await startFormerDaemon(host, former, ['--bip', bips[index] ?? '', ...daemonOptions]);
      await host.load('nginx-app01');
    }
  });
  after(async () => {
    await server1?.close();
    former?.remove();
  });

  const inspect = (host: TestHost, name: string, format: string): Promise<string> =>
    host.docker('inspect', '-f', `{{.NetworkSettings.${format}}}`, name);
  const listContainers = (): Promise<string> =>
    server1.docker('ps', '-a', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Ports}}');
  const structure = (host: TestHost): Promise<string> =>
    host.sh('nft -s -t list table ip netyard; nft -s -t list table bridge netyard');

  /** Starts a program in a container's network namespace and waits until it listens. */
  async function serve(protocol: 'tcp' | 'udp', port: number, ...program: string[]): Promise<void> {
    const child = server1.start(['nsenter', `--net=${webNetns}`, ...program]);
    child.stdout?.on('data', (text) => {
      recorded += text;
    });
    const list = `nsenter --net=${webNetns} ss -Hln --${protocol} sport = :${port}`;
    await until(async () => (await server1.sh(list)) !== '', `port ${port} is open`);
  }

  test('containers, links, ports and peers are created by the daemon of the version before', async () => {
    await server1.docker('run', '--rm', 'nginx-app01', 'true'); // the first container mounts /run/netns
    untouched = await takeEmptyInventory(server1);
    const ports = ['-p', '8801:80', '-p', '8807:7', '-p', '8853:5300/udp'];
    await server1.docker('run', '-d', '--name', 'web', ...ports, 'nginx-app01', 'nginx');
    const linked = ['--name', 'linked', '--link', 'web:alias', 'nginx-app01'];
    await server1.docker('run', '-d', ...linked, 'sh', '-c', requestForEver);
    await until(async () => (await server1.docker('logs', 'linked')) !== '', 'the link is used');
    await server2.docker('run', '-d', '--name', 'far', 'nginx-app01', 'nginx');
    const add = [former.program, 'peer', 'add'];
    await server1.output(...add, 'server2', '--address', '172.16.2.102', '--subnet', '192.168.12.0/24');
    await server2.output(...add, 'server1', '--address', '172.16.2.101', '--subnet', '192.168.11.0/24');
    address = await inspect(server1, 'web', 'IPAddress');
    webNetns = await inspect(server1, 'web', 'SandboxKey');
    linkedNetns = await inspect(server1, 'linked', 'SandboxKey');
    farNetns = await inspect(server2, 'far', 'SandboxKey');
    await serve('tcp', 7, 'socat', 'TCP4-LISTEN:7,fork', 'EXEC:cat');
    await serve('udp', 5300, process.execPath, '-e', datagramEcho(5300));
    await serve('udp', 5353, 'socat', '-u', 'UDP4-RECV:5353', 'STDOUT');
    containers = await listContainers();
    assert.match(containers, / web running .*8801->80/);
    assert.notEqual(await structure(server1), await structure(outsider), 'the version before has other tables');
  });

  test('no request fails while both daemons are replaced, and no unpublished port opens', async () => {
    const traffic: Traffic[] = [
      requestRepeatedly('published port', server2, 'http://172.16.2.101:8801/', 'nginx-app01'),
      sendDatagrams('published port', server2, '172.16.2.101', 8853),
      sendDatagrams('link', server1, address, 5300, linkedNetns),
      requestRepeatedly('peer', server2, `http://${address}/`, 'nginx-app01', farNetns),
      sendDatagrams('peer', server2, address, 5300, farNetns),
      keepConnection('established connection', outsider, '172.16.2.101', 8807),
      probeRepeatedly('unpublished port', outsider, address, 5353),
    ];
    await Promise.all(traffic.map((one) => one.progress(10)));
    for (const host of [server1, server2]) {
      await stopDaemon(host);
      await Promise.all(traffic.map((one) => one.progress(5)));
      await host.restartDaemon();
      await Promise.all(traffic.map((one) => one.progress(10)));
    }
    await Promise.all(traffic.map((one) => one.stop()));
    for (const { name, failures } of traffic) assert.deepEqual(failures, [], name);
    await server1.sh(`echo sentinel | socat - UDP4-SENDTO:${address}:5353`);
    await until(() => recorded.includes('sentinel'), 'the recorder works');
    assert.equal(recorded, 'sentinel\n');
  });

  test('requests over the link by name continued, too', async () => {
    const answers = async (): Promise<string[]> => (await server1.docker('logs', 'linked')).split('\n');
    const count = (await answers()).length;
    await until(async () => (await answers()).length > count + 5, 'further requests');
    assert.deepEqual(new Set(await answers()), new Set(['right']));
  });

  test('the tables are those of a host without a version before', async () => {
    for (const host of [server1, server2]) assert.equal(await structure(host), await structure(outsider));
  });

  test('ps, links, ports and peers are right', async () => {
    assert.equal(await listContainers(), containers);
    assert.match(await server1.docker('port', 'web'), /^80\/tcp -> 0\.0\.0\.0:8801$/m);
    assert.equal(await server1.docker('inspect', '-f', '{{.HostConfig.Links}}', 'linked'), '[/web:/linked/alias]');
    assert.match(await server1.docker('exec', 'linked', 'wget', '-qO-', 'http://alias/'), page);
    for (const host of [server1, server2])
      assert.match(await host.netyard('peer', 'ls'), /^server[12] .* [1-9]\d+\/[1-9]\d+ .* ready$/m);
    await server1.docker('restart', '-t', '0', 'web');
    const ask = (): ReturnType<TestHost['tryDocker']> =>
      server1.tryDocker('exec', 'linked', 'wget', '-qO-', 'http://alias/');
    await until(async () => page.test((await ask()).stdout), 'the restarted server answers over the link');
    assert.match(await server2.sh('curl -s --retry 20 --retry-connrefused http://172.16.2.101:8801/'), page);
  });

  test('stop and rm of the former containers leave nothing', async () => {
    await server1.docker('stop', '-t', '1', 'web', 'linked');
    await server1.removeContainers();
    await server1.netyard('peer', 'rm', 'server2');
    await untilInventory(server1, untouched, ['links', 'namespaces', 'routes', 'mounts', 'cgroups']);
    const inventory = await takeEmptyInventory(server1);
    assert.doesNotMatch(inventory['nftables'] ?? '', /comment "(?:container|link|peer) /);
    assert.doesNotMatch(inventory['processes'] ?? '', /shim|nginx/);
  });
});
