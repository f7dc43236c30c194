/**
 * Tests the repair of foreign changes inside container namespaces on a real kernel, except in containers with
 * NET_ADMIN.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, inFreshHost, sh, succeeds } from '@netyard/testkit';
import type { RepairPolicy, SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

/** Longer than any repair takes on a slow machine: a change that persists until then is not repaired. */
const patienceMilliseconds = 1500;

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    if (holds()) return;
    await pause(20);
  }
  assert.fail(what);
}

const warnings: string[] = [];
const silent = (): void => undefined;
const logger: Logger = {
  ...{ debug: silent, info: silent, error: silent },
  warn: (message, details) => void warnings.push(`${message} ${JSON.stringify(details)}`),
};

describe('container namespaces', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel, logger });
  let web: SandboxState & { containerId: string };

  const inside = (command: string, { netnsPath }: SandboxState = web): string =>
    sh(`nsenter --net=${netnsPath} ${command}`);
  const details = (): string[] =>
    testbed.events.filter(({ action }) => action === 'repair').map(({ detail }) => detail ?? '');
  const repairs = (): number => details().length;
  const sockets = (): number => readdirSync('/proc/self/fd').length;

  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    await testbed.networks.start([]);
    web = await testbed.run('web', {
      sysctls: { 'net.core.somaxconn': '1000', 'net.ipv4.ip_local_port_range': '2000 3000' },
    });
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const address = (): string => `${web.endpoints[0]?.addresses.v4?.address}`;
  const isWhole = (): boolean => {
    const state = inside("sh -c 'ip -o link; ip -o -4 address; ip route; ping -c 1 -W 1 192.0.2.9; true'");
    return (
      new RegExp(`: eth0@\\S+ <[^>]*\\bUP\\b[^>]*> mtu 1500 .*${web.endpoints[0]?.mac}`).test(state) &&
      /: lo: <[^>]*\bUP\b[^>]*> mtu 65536 /.test(state) &&
      state.includes(` eth0    inet ${address()}/16 brd 172.17.255.255 `) &&
      state.includes(' lo    inet 127.0.0.1/8 ') &&
      state.includes('default via 172.17.0.1 dev eth0') &&
      state.includes('172.17.0.0/16 dev eth0') &&
      / 0% packet loss/.test(state)
    );
  };

  const changes: [string, string, RegExp][] = [
    ['an address that is deleted', 'ip address flush dev eth0', /create address 172\.17\.0\.2\/16 on eth0/],
    [
      'another broadcast address',
      "sh -c 'ip address flush dev eth0; ip address add ADDRESS/16 brd 172.17.0.255 dev eth0'",
      /change address/,
    ],
    ['the address of lo', 'ip address del 127.0.0.1/8 dev lo', /create address 127\.0\.0\.1\/8 on lo/],
    ['a default route that is deleted', 'ip route del default', /^create route default$/],
    ['a default route that is replaced', 'ip route replace default via 172.17.0.99', /^change route default$/],
    ["the subnet's route", 'ip route del 172.17.0.0/16 dev eth0', /address|route/],
    ['a link that is down', 'ip link set eth0 down', /change veth .*create route default/],
    ['lo that is down', 'ip link set lo down', /change link-state lo/],
    ['an MTU', 'ip link set eth0 mtu 1300', /^change veth ny-/],
    ['the MTU of lo', 'ip link set lo mtu 1500', /^change link-state lo$/],
    ['a MAC', 'ip link set eth0 address 02:00:00:00:00:99', /change veth/],
    ['a name', "sh -c 'ip link set eth0 down; ip link set eth0 name eth7; ip link set eth7 up'", /change veth/],
    ['a link that is deleted', 'ip link del eth0', /create veth/],
    [
      'IPv6 that is switched on',
      'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0',
      /^change sysctl net\.ipv6\.conf\.eth0/,
    ],
    ['a setting of --sysctl', 'sysctl -qw net.core.somaxconn=4', /^change sysctl net\.core\.somaxconn$/],
  ];
  for (const [what, command, expected] of changes) {
    test(`${what} is repaired and reported`, async () => {
      await until('the container is whole before', isWhole);
      const count = repairs();
      inside(command.replace('ADDRESS', address()));
      await until('a repair is reported', () => repairs() > count);
      await until('the container is whole', isWhole);
      assert.match(
        testbed.events
          .slice(-10)
          .map((event) => event.detail)
          .join('\n'),
        new RegExp(expected.source, 'm'),
      );
      assert.equal(inside('sysctl -n net.core.somaxconn net.ipv6.conf.eth0.disable_ipv6'), '1000\n1\n');
    });
  }

  test('lo of a container without a network is repaired', async () => {
    const none = await testbed.run('none', { mode: { kind: 'none' } });
    inside('ip link set lo down', none);
    await until('lo is up', () => /<[^>]*\bUP\b/.test(inside('ip -o link show lo', none)));
    await testbed.remove(none.containerId);
  });

  test('additions are left alone and cause no repair', async () => {
    await pause(patienceMilliseconds);
    const count = repairs();
    inside('ip link add tun9 type bridge');
    inside('ip address add 10.9.9.1/24 dev tun9');
    inside('ip link set tun9 up');
    inside('ip route add 10.8.0.0/16 via 10.9.9.2');
    inside('ip address add 172.17.200.1/16 dev eth0');
    inside('ip route prepend default via 172.17.0.99');
    await pause(patienceMilliseconds);
    assert.deepEqual(details().slice(count), []);
    assert.match(inside('ip -o address'), /10\.9\.9\.1.*172\.17\.200\.1|172\.17\.200\.1[\s\S]*10\.9\.9\.1/);
    assert.match(inside('ip route'), /default via 172\.17\.0\.99 .*\ndefault via 172\.17\.0\.1 [\s\S]*10\.8\.0\.0\/16/);
    inside('ip route del default via 172.17.0.99');
    inside('ip link del tun9');
    await until('the container is whole', isWhole);
  });

  test('the namespace of a container with NET_ADMIN is left alone; its objects on the host are repaired', async () => {
    const vpn = await testbed.run('vpn', {}, { netAdmin: true });
    const link = vpn.endpoints[0]?.hostLink;
    inside('ip route replace default via 172.17.0.99', vpn);
    inside('ip link set eth0 mtu 1300', vpn);
    const count = repairs();
    sh(`ip link set ${link} nomaster`);
    await until('its port is in the bridge', () => / master docker0 /.test(sh(`ip -o link show ${link}`)));
    await pause(patienceMilliseconds);
    const made = details().slice(count);
    assert.ok(made.length > 0);
    for (const title of made) assert.match(title, /^change veth ny-[0-9a-f]+$/);
    assert.match(inside('ip route', vpn), /default via 172\.17\.0\.99/);
    assert.match(inside('ip -o link show eth0', vpn), / mtu 1300 /);
    sh(`ip link del ${link}`);
    await until('the pair is made again, and what is on it', () =>
      succeeds(vpn.netnsPath, 'ping', '-c', '1', '-W', '1', '192.0.2.9'),
    );
    inside('ip route del default', vpn);
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    assert.doesNotMatch(inside('ip route', vpn), /default/);
    await testbed.remove(vpn.containerId);
  });

  const options: [RepairPolicy, { netAdmin?: boolean; repair?: boolean }, boolean][] = [
    ['auto', {}, true],
    ['auto', { netAdmin: true }, false],
    ['auto', { netAdmin: true, repair: true }, true],
    ['auto', { repair: false }, false],
    ['always', { netAdmin: true }, true],
    ['always', { repair: false }, false],
    ['never', {}, false],
    ['never', { repair: true }, true],
  ];
  for (const [repairContainers, nature, isRepaired] of options) {
    const title = `--repair-containers=${repairContainers}, ${JSON.stringify(nature)}`;
    test(`${title}: ${isRepaired ? 'repaired' : 'left alone'}`, async () => {
      await testbed.networks.close();
      await testbed.open({ repairContainers }).start([...testbed.containers.keys()]);
      const one = await testbed.run('one', {}, nature);
      inside('ip route del default', one);
      const hasRoute = (): boolean => /default via 172\.17\.0\.1 /.test(inside('ip route', one));
      if (isRepaired) await until('the route is back', hasRoute);
      else {
        await pause(patienceMilliseconds);
        assert.ok(!hasRoute());
      }
      const marked = testbed.networks.explain('one').owner;
      assert.equal(marked, `container one${isRepaired ? '' : '; changes inside it are not repaired'}`);
      await testbed.remove(one.containerId);
    });
  }

  test('a namespace that a container with NET_ADMIN has joined is left alone, also after that container is removed', async () => {
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    const app = await testbed.run('app');
    const plain = await testbed.run('plain', { mode: { kind: 'container', ref: 'app' } });
    inside('ip route del default', app);
    await until('it is repaired while another container shares it', () => /default/.test(inside('ip route', app)));
    const sidecar = await testbed.run('sidecar', { mode: { kind: 'container', ref: 'app' } }, { netAdmin: true });
    inside('ip route replace default via 172.17.0.99', app);
    await testbed.remove(sidecar.containerId);
    inside('ip link set lo down', app);
    await pause(patienceMilliseconds);
    assert.match(inside('ip route', app), /default via 172\.17\.0\.99/);
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    await pause(patienceMilliseconds);
    assert.match(inside('ip route', app), /default via 172\.17\.0\.99/);
    await testbed.remove(plain.containerId);
    await testbed.remove(app.containerId);
  });

  test('a sysctl of a container that joins becomes part of the desired state', async () => {
    const app = await testbed.run('app', { sysctls: { 'net.core.somaxconn': '100' } });
    const sysctls = { 'net.core.somaxconn': '200' };
    const other = await testbed.run('other', { mode: { kind: 'container', ref: 'app' }, sysctls });
    await pause(patienceMilliseconds);
    assert.equal(inside('sysctl -n net.core.somaxconn', app), '200\n');
    inside('sysctl -qw net.core.somaxconn=5', app);
    await until('it is repaired', () => inside('sysctl -n net.core.somaxconn', app) === '200\n');
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    assert.equal(inside('sysctl -n net.core.somaxconn', app), '200\n', 'after a restart of the daemon');
    await pause(patienceMilliseconds);
    inside('sysctl -qw net.core.somaxconn=6', app);
    await until('it is repaired again', () => inside('sysctl -n net.core.somaxconn', app) === '200\n');
    await testbed.remove(other.containerId);
    await testbed.remove(app.containerId);
  });

  test('a container that stops, restarts or is removed leaks no descriptor and no namespace', async () => {
    await pause(patienceMilliseconds);
    const before = sockets();
    const names = Array.from({ length: 10 }, (_, index) => `many${index}`);
    const many = await Promise.all(names.map((name) => testbed.run(name)));
    // A procfs that has been used for many namespaces is replaced, and the former one closed by a thread of the pool.
    const counted = (what: string, count: number) => until(`${what}: ${count} descriptors`, () => sockets() === count);
    await counted('running', before + many.length);
    for (const { containerId } of many) await testbed.stop(containerId);
    await counted('stopped', before);
    for (const { containerId } of many) await testbed.start(containerId);
    await counted('started again', before + many.length);
    for (const one of many) inside('ip route del default', one); // repairs are pending during the removal
    await Promise.all(many.map(({ containerId }) => testbed.remove(containerId)));
    await counted('removed', before);
    const links = many.map(({ endpoints }) => `${endpoints[0]?.hostLink}`);
    await until('their links are gone', () => !links.some((link) => sh('ip -o link').includes(link)));
  });

  test('an interface that flaps endlessly costs a bounded number of repairs and one warning', async () => {
    const one = await testbed.run('flapping', {}, { netAdmin: true, repair: true });
    warnings.length = 0;
    const count = repairs();
    const begin = performance.now();
    for (let round = 0; round < 40; round += 1) {
      const flaps = Array.from({ length: 25 }, () => 'link set eth0 down\nlink set eth0 up').join('\n');
      execFileSync('nsenter', [`--net=${one.netnsPath}`, 'ip', '-batch', '-'], { input: flaps });
      await pause(20);
    }
    const seconds = (performance.now() - begin) / 1000;
    const made = repairs() - count;
    assert.ok(made >= 1 && made <= 10 + seconds, `${made} repairs in ${seconds} s`);
    await until('it is repaired at last', () => /default via 172\.17\.0\.1 /.test(inside('ip route', one)));
    assert.ok(warnings.length <= 1, warnings.join('\n'));
    for (const warning of warnings) assert.match(warning, /keeps undoing a repair.*inside container flapping/);
    inside('ip route del default'); // a container of its own: the back-off of the first one does not delay its repair
    await until('the other container is whole', isWhole);
    await testbed.remove(one.containerId);
  });
});
