/**
 * Tests the life cycle of a host's containers: adoption after a crash, repair, shared namespaces, connect, clean-up.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { openKernel, printShell } from '@netyard/kernel';
import { ask, askBriefly, eventually, inFreshHost, pings, serve, sh } from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const testbed = new Testbed({ kernel });

before(async () => {
  if (host.skip) return;
  sh('ip link add up0 type bridge && ip address add 192.0.2.1/24 dev up0 && ip link set up0 up');
  await testbed.networks.start([]);
});
after(async () => {
  await testbed.close();
  kernel.close();
});

/** Without what the kernel settles later: the carrier, and what follows from it. */
const dump = (): string =>
  sh('ip -o link | grep -v "eth0@" | sed "s/ qlen.*//"; ip route; nft list ruleset; ls /run/netns').replace(
    /(link\/ether|state) \S+|NO-CARRIER,|,LOWER_UP| linkdown/g,
    '',
  );

test(
  'a new daemon adopts running containers, deletes the objects of stopped ones and changes nothing else',
  host,
  async () => {
    const ports = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8801 }];
    const web = await testbed.run('web', { ports });
    await serve(web.netnsPath, 'tcp', 80, 'web');
    const before = dump();
    const dead = await testbed.run('dead', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8802 }] });
    await testbed.networks.close();
    testbed.setState(dead.containerId, 'exited');
    // As a daemon leaves it that died between creating objects and persisting them.
    sh('ip netns add ny-0123456789ab; ip link add ny-abcdef012345 type veth peer name eth0 netns ny-0123456789ab');
    sh('ip link set ny-abcdef012345 alias "netyard: container lost"');
    sh('nft add element ip netyard published_any { tcp . 9999 : 172.17.0.99 . 80 }');
    sh('ip netns add foreign');

    testbed.events.length = 0;
    const networks = testbed.open();
    await networks.start([web.containerId]);
    assert.deepEqual(networks.state(web.containerId)?.endpoints, web.endpoints);
    assert.equal(networks.state(dead.containerId), undefined);
    sh('ip netns delete foreign');
    await eventually('links of stopped containers are gone', () => dump() === before);
    assert.equal(dump(), before);
    assert.equal(ask(undefined, 'tcp', '192.0.2.1', 8801), 'web 192.0.2.1');
    assert.deepEqual(
      testbed.events.filter((event) => event.action === 'repair'),
      [],
    );
    assert.throws(() => kernel.reservePort('tcp', '0.0.0.0', 8801), /EADDRINUSE/);
    kernel.reservePort('tcp', '0.0.0.0', 8802).close();
    await testbed.remove(web.containerId);
    await testbed.remove(dead.containerId);
  },
);

test('changes by other programs are repaired', host, async () => {
  const ports = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8801 }];
  const web = await testbed.run('web', { ports });
  await serve(web.netnsPath, 'tcp', 80, 'web');
  const answers = (): boolean => askBriefly(undefined, 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.1';
  assert.ok(answers());
  const breakages = [
    'nft flush ruleset',
    'nft delete table ip netyard',
    'nft delete element ip netyard published_any { tcp . 8801 }',
    'ip address delete 172.17.0.1/16 dev docker0',
    'ip link set docker0 down',
    `ip link delete ${web.endpoints[0]?.hostLink}`,
    'ip link delete docker0',
  ];
  for (const breakage of breakages) {
    testbed.events.length = 0;
    sh(breakage);
    await eventually(`repaired after ${breakage}`, () => testbed.events.length > 0 || false);
    await eventually(`answers after ${breakage}`, answers);
  }
  await testbed.remove(web.containerId);
});

test('a shared namespace survives a restart of its owner and is deleted with its last user', host, async () => {
  const owner = await testbed.run('owner');
  const sharer = await testbed.run('sharer', { mode: { kind: 'container', ref: 'owner' } });
  assert.equal(sharer.netnsPath, owner.netnsPath);
  assert.deepEqual(sharer.files, owner.files);
  await serve(sharer.netnsPath, 'tcp', 80, 'sharer');
  await testbed.stop(owner.containerId);
  assert.ok(existsSync(owner.netnsPath ?? ''));
  const again = await testbed.start(owner.containerId);
  assert.equal(again.netnsPath, owner.netnsPath);
  assert.match(ask(undefined, 'tcp', again.endpoints[0]?.addresses.v4?.address ?? '', 80), /^sharer /);
  await testbed.remove(owner.containerId);
  assert.ok(existsSync(owner.netnsPath ?? ''));
  await testbed.remove(sharer.containerId);
  assert.ok(!existsSync(owner.netnsPath ?? ''));
});

test('a container with network none has only lo; connecting it to bridge configures it completely', host, async () => {
  const none = await testbed.run('none', {
    mode: { kind: 'none' },
    ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8804 }],
  });
  assert.equal(sh(`nsenter --net=${none.netnsPath} ip -o link | wc -l`).trim(), '1');
  await assert.rejects(
    testbed.networks.connect('bridge', none.containerId, { network: 'bridge' }),
    (error) => isNetyardError(error, 'invalid') && /private \(none\) mode/.test(error.message),
  );
  await testbed.networks.disconnect('none', none.containerId, false);
  await testbed.networks.connect('bridge', none.containerId, { network: 'bridge' });
  assert.ok(pings(none.netnsPath, '172.17.0.1'));
  assert.match(readFileSync(none.files.hosts, 'utf8'), /\n172\.17\.0\.\d+\t[0-9a-f]{12}\n$/);
  await serve(none.netnsPath, 'tcp', 80, 'none');
  assert.match(ask(undefined, 'tcp', '192.0.2.1', 8804), /^none /);
  await testbed.networks.disconnect('bridge', none.containerId, false);
  assert.equal(sh(`nsenter --net=${none.netnsPath} ip -o link | wc -l`).trim(), '1');
  assert.doesNotMatch(readFileSync(none.files.hosts, 'utf8'), /172\.17/);
  assert.equal(askBriefly(undefined, 'tcp', '192.0.2.1', 8804), '');
  await testbed.remove(none.containerId);
});

test('a container in host mode has the files of the host and no kernel objects', host, async () => {
  const state = await testbed.run('host', { mode: { kind: 'host' } });
  assert.equal(state.netnsPath, undefined);
  assert.equal(readFileSync(state.files.hosts, 'utf8'), '127.0.0.1\tlocalhost host\n');
  assert.match(readFileSync(state.files.resolvConf, 'utf8'), /127\.0\.0\.53/);
  await testbed.remove(state.containerId);
});

test('an alias survives a rename, a restart and a new address; lines added by a user are kept', host, async () => {
  const nginx1 = await testbed.run('nginx-1');
  const nginx2 = await testbed.run('nginx-2', { links: ['nginx-1'] });
  const nginx3 = await testbed.run('nginx-3', { links: ['nginx-1:web1', 'nginx-2:web2'] });
  const short = (id: string): string => id.slice(0, 12);
  const ip = (state: Pick<SandboxState, 'endpoints'> | undefined): string =>
    state?.endpoints[0]?.addresses.v4?.address ?? '';
  const localLines =
    '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n';
  assert.equal(
    readFileSync(nginx2.files.hosts, 'utf8'),
    `${localLines}${ip(nginx1)}\tnginx-1 ${short(nginx1.containerId)}\n${ip(nginx2)}\t${short(nginx2.containerId)}\n`,
  );
  const lines3 = (first: string): string =>
    `${first}\tweb1 ${short(nginx1.containerId)} nginx-1\n${ip(nginx2)}\tweb2 ${short(nginx2.containerId)} nginx-2\n`;
  const own3 = `${ip(nginx3)}\t${short(nginx3.containerId)}\n`;
  assert.equal(readFileSync(nginx3.files.hosts, 'utf8'), `${localLines}${lines3(ip(nginx1))}${own3}`);

  writeFileSync(nginx3.files.hosts, `${localLines}${lines3(ip(nginx1))}${own3}10.9.8.7\tmine\n`);
  await testbed.rename(nginx1.containerId, 'renamed');
  await testbed.stop(nginx1.containerId);
  const again = await testbed.start(nginx1.containerId);
  assert.notEqual(ip(again), ip(nginx1));
  assert.equal(readFileSync(nginx3.files.hosts, 'utf8'), `${localLines}${lines3(ip(again))}${own3}10.9.8.7\tmine\n`);

  // A crash between the target's new address and the parent's line.
  await testbed.networks.close();
  writeFileSync(nginx3.files.hosts, `${localLines}${lines3('172.17.9.9')}${own3}10.9.8.7\tmine\n`);
  await testbed.open().start([nginx1, nginx2, nginx3].map(({ containerId }) => containerId));
  assert.equal(readFileSync(nginx3.files.hosts, 'utf8'), `${localLines}${lines3(ip(again))}${own3}10.9.8.7\tmine\n`);

  await testbed.remove(nginx1.containerId);
  const fresh = await testbed.run('renamed');
  assert.match(readFileSync(nginx3.files.hosts, 'utf8'), new RegExp(`^${ip(fresh)}\\tweb1 `, 'm'));
  assert.equal(testbed.networks.findLink('nginx-3/web1')?.childId, fresh.containerId);
  for (const { containerId } of [nginx3, nginx2, fresh]) await testbed.remove(containerId);
});

/** All objects of a plan, without the random MAC of the host end and without indexes that the kernel assigns. */
const shape = (id: string): string => `
  ip -o -d link show type bridge | grep docker0 | grep -o "mtu [0-9]*\\|link/ether [^ ]*\\|alias.*"
  ip -o link show type veth | grep ${id.slice(0, 12)} | grep -o "mtu [0-9]*\\|alias.*"
  ip -4 -o address | grep -o "docker0 .*"; ip route | grep docker0; nft list table ip netyard; nft list table bridge netyard; ls /run/netns
  for ns in /run/netns/ny-*; do nsenter --net=$ns sh -c "ip -o address; ip route; ip -o link show eth0 | grep -o link/ether.*brd; sysctl net.ipv6.conf.eth0.disable_ipv6"; done
  sysctl net.ipv4.ip_forward net.ipv4.conf.docker0 net.ipv6.conf.docker0.disable_ipv6`;

test('the commands that explain prints create the same state on an empty host', host, async () => {
  const target = await testbed.run('target');
  const web = await testbed.run('web', {
    links: ['target:t'],
    ports: [
      { protocol: 'tcp', containerPort: 80, hostPort: 8801 },
      { protocol: 'udp', containerPort: 53, hostPort: 5353, hostAddress: '127.0.0.1' },
    ],
  });
  await testbed.networks.release(target.containerId);
  const files = (): string[] => Object.values(web.files).map((path) => readFileSync(path, 'utf8'));
  const [expected, expectedFiles] = [sh(shape(web.containerId)), files()];
  const script = join(testbed.directory, 'explained.sh');
  writeFileSync(
    script,
    `mount -t tmpfs tmpfs /run/netns; ip link set lo up\n(${printShell(testbed.networks.explain('web'))}) >&2\n${shape(web.containerId)}`,
  );
  for (const path of Object.values(web.files)) writeFileSync(path, '');
  assert.equal(sh(`unshare --net --mount --propagation private sh ${script}`), expected);
  assert.deepEqual(files(), expectedFiles);
  for (const { containerId } of [web, target]) await testbed.remove(containerId);
});

test('cleanup without stored state deletes all Netyard objects and nothing else', host, async () => {
  const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
  await testbed.networks.close();
  sh('ip netns add foreign; nft add table ip foreign; ip link add foreign0 type bridge');
  const stateless = new Testbed({ kernel });
  assert.equal((await stateless.networks.cleanup({ dryRun: true })).length, 5);
  assert.ok(existsSync(web.netnsPath ?? ''));
  await stateless.networks.cleanup({ dryRun: false });
  assert.deepEqual(await stateless.networks.cleanup({ dryRun: false }), []);
  assert.equal(sh('ls /run/netns').trim(), 'foreign');
  assert.equal(sh('nft list tables').trim(), 'table ip foreign');
  assert.deepEqual(sh('ip -br link | cut -d" " -f1 | sort').trim().split('\n'), ['foreign0', 'lo', 'up0']);
  await stateless.close();
});
