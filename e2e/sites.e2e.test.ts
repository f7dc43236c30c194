/** Hosts of three sites behind routers (examples/three-sites.yaml): routes on a shared link, VXLAN between sites. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { formatIp, formatPrefix, networkOf, parsePrefix } from '@netyard/core';
import { bringDown, bringUp, parseLab } from '@netyard/lab';
import { cannotRun } from './support/engines.ts';
import { collect, TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';
import { type Inventory, takeInventory, untilInventory } from './support/leftovers.ts';

interface Site {
  name: string;
  host: TestHost;
  address: string;
  subnet: string;
  /** Address of its container. */
  container: string;
}

const file = new URL('../examples/three-sites.yaml', import.meta.url);
const containerName = 'c1';

describe('three sites', { skip: cannotRun('netyard') }, () => {
  const lab = `e2e-sites-${process.pid}`;
  const sites: Site[] = [];
  const initial = new Map<string, Inventory>();

  before(async () => {
    const text = readFileSync(file, 'utf8').replace(/^name: .*$/m, `name: ${lab}`);
    const definition = parseLab(text, 'three-sites');
    await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
    for (const one of definition.hosts.filter(({ role }) => role !== 'router')) {
      const host = new TestHost('netyard', lab, one, {});
      await host.docker('load', '-q', '-i', archivePath('netyard-test'));
      await host.docker('run', '-d', '--name', containerName, 'netyard-test', 'sleep', '1000000');
      const container = await host.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', containerName);
      const address = formatIp(parsePrefix(one.uplinks[0]?.address ?? ''));
      const subnet = formatPrefix(networkOf(parsePrefix(one.bip ?? '')));
      sites.push({ name: one.name, host, address, subnet, container });
      initial.set(one.name, await takeInventory(host));
    }
  });
  after(() => bringDown(lab));

  const site = (name: string): Site => {
    const found = sites.find((one) => one.name === name);
    assert.ok(found);
    return found;
  };
  const pairs = (): [Site, Site][] =>
    sites.flatMap((one) => sites.filter((other) => other !== one).map((other): [Site, Site] => [one, other]));
  const pings = async ({ host }: Site, to: string, ...options: string[]): Promise<boolean> =>
    (await host.tryDocker('exec', containerName, 'ping', '-c', '1', '-W', '2', ...options, to)).status === 0;
  /** On a busy machine, an answer may take longer than one ping waits. */
  const reaches = (from: Site, to: string, ...options: string[]): Promise<void> =>
    until(() => pings(from, to, ...options), `${from.name} reaches ${to} ${options.join(' ')}`);
  const allReach = async (): Promise<boolean> => {
    for (const [one, other] of pairs()) if (!(await pings(one, other.container))) return false;
    return true;
  };

  test('containers reach each other only after one peer add per pair', async () => {
    for (const [one, other] of pairs().slice(0, 3)) assert.ok(!(await pings(one, other.container)), other.name);
    for (const [{ host }, { name, address, subnet }] of pairs())
      assert.equal(await host.netyard('peer', 'add', name, '--address', address, '--subnet', subnet), name);
    for (const [one, other] of pairs()) await reaches(one, other.container);
  });

  test('peers on a shared link use a route, others VXLAN, as ls, inspect and explain show', async () => {
    const { host } = site('paris1');
    const rows = await host.netyard('peer', 'ls', '--format', '{{.Name}} {{.Path}} {{.MTU}} {{.State}}');
    assert.equal(
      rows,
      [
        'berlin1 vxlan dev ens33 1450 ready',
        'oslo1 vxlan dev ens33 1450 ready',
        'paris2 route dev ens33 1500 ready',
      ].join('\n'),
    );
    const path = '{{.Path.Kind}} {{.Path.Link}} {{.Path.Local}}';
    assert.equal(await host.netyard('peer', 'inspect', '-f', path, 'oslo1'), 'vxlan ny-vxlan 172.16.1.11');
    const script = await host.netyard('explain', 'oslo1');
    for (const line of [
      /^ip link add name ny-vxlan address 02:6e:ac:10:01:0b mtu 1450 type vxlan id 28281 local 172\.16\.1\.11 dstport 4789 nolearning$/m,
      /^bridge fdb add 02:6e:ac:10:03:0b dev ny-vxlan dst 172\.16\.3\.11$/m,
      /^ip neighbour replace 172\.16\.3\.11 lladdr 02:6e:ac:10:03:0b dev ny-vxlan nud permanent$/m,
      /^ip route add 192\.168\.31\.0\/24 via 172\.16\.3\.11 dev ny-vxlan .*onlink$/m,
    ])
      assert.match(script, line);
  });

  test('large packets, fragments and long streams pass in both directions, also on the path with a small MTU', async () => {
    for (const [one, other] of pairs()) {
      await reaches(one, other.container, '-s', '1372'); // 1400 bytes
      await reaches(one, other.container, '-s', '4000'); // fragments
    }
    const bytes = 4_000_000;
    const serve = `mkdir /www && head -c ${bytes} /dev/zero > /www/zeros && httpd -p 80 -h /www`;
    for (const { host } of sites) await host.docker('exec', containerName, 'sh', '-c', serve);
    for (const [one, other] of pairs()) {
      const query = "printf 'GET /zeros HTTP/1.0\\r\\n\\r\\n'";
      const fetch = `${query} | nc ${other.container} 80 | tail -c ${bytes} | wc -c`;
      assert.equal(
        await one.host.docker('exec', containerName, 'sh', '-c', fetch),
        String(bytes),
        `${other.name} to ${one.name}`,
      );
    }
  });

  test('each interface has the right MTU', async () => {
    for (const { host, name } of sites) {
      assert.match(await host.docker('exec', containerName, 'ip', 'link', 'show', 'eth0'), / mtu 1450 /, name);
      const shown = await host.sh('ip -o link');
      assert.match(shown, / ny-vxlan: .* mtu 1450 /);
      assert.match(shown, / docker0: .* mtu 1450 /);
      assert.match(shown, / ens33(@\w+)?: .* mtu 1500 /);
      assert.match(shown, / ny-[0-9a-f]{12}(@\w+)?: .* mtu 1450 /);
    }
  });

  test('the tunnel preserves source addresses', async () => {
    const { host, container } = site('oslo1');
    const capture = host.start(['tcpdump', '-i', 'ny-vxlan', '-nn', '-l', '-c', '1', 'icmp']);
    const captured = collect(capture);
    await new Promise((resolve) => capture.stderr?.once('data', resolve));
    await reaches(site('berlin1'), container);
    assert.match(
      (await captured).stdout,
      new RegExp(`IP ${site('berlin1').container} > ${container}: ICMP echo request`),
    );
  });

  const changes: [string, string][] = [
    ['the tunnel is deleted', 'ip link delete ny-vxlan'],
    ['its forwarding entry is deleted', 'bridge fdb delete 02:6e:ac:10:03:0b dev ny-vxlan'],
    ['its neighbour is deleted', 'ip neighbour delete 172.16.3.11 dev ny-vxlan'],
    ['nft flush ruleset', 'nft flush ruleset'],
    [
      'the uplink goes down and up',
      'ip link set ens33 down; ip link set ens33 up; ip route replace default via 172.16.1.1',
    ],
  ];
  for (const [what, line] of changes)
    test(`${what}: repaired`, async (t) => {
      const { host } = site('paris1');
      const to = site('oslo1').container;
      await host.sh(line);
      const since = performance.now();
      await until(async () => (await host.run(['ping', '-c', '1', '-W', '0.1', to])).status === 0, `${what}: repaired`);
      t.diagnostic(`repaired after ${(performance.now() - since).toFixed(0)} ms`);
      await until(allReach, 'all containers reach each other');
    });

  test('peers stay connected while the daemon is down', async () => {
    const { host } = site('paris1');
    await host.killDaemon();
    await reaches(site('oslo1'), site('paris1').container);
    await host.restartDaemon();
    await until(allReach, 'all containers reach each other');
  });

  test('peer rm leaves nothing behind', async () => {
    for (const [{ host }, { name }] of pairs()) await host.netyard('peer', 'rm', name);
    for (const { host, name } of sites)
      await untilInventory(host, initial.get(name) ?? {}, ['links', 'routes', 'nftables', 'namespaces']);
    for (const [one, other] of pairs().slice(0, 3)) assert.ok(!(await pings(one, other.container)));
  });
});
