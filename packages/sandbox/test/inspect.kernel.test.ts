/** Tests that an inspection finds what differs from the plan on a real kernel, and that the fix of each finding works. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  askBriefly,
  eventually,
  inFreshHost,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import type { HostCheck } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

const failed = (checks: readonly HostCheck[]): HostCheck[] =>
  checks.filter(({ grade }) => grade === 'warning' || grade === 'broken');
const textsOf = (checks: readonly HostCheck[], id: string): string[] =>
  checks.filter((check) => check.id === id).map(({ text }) => text);
/** Runs the commands of a fix. */
const runFix = (fix = ''): string => sh(fix.replace(/^.*?(?=\b(?:ip|sysctl) )/, ''));

describe('an inspection', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let address = '';

  before(async () => {
    sh('sysctl -qw net.ipv4.ip_forward=0');
    addUplink();
    addNeighbour('neighbour', 9);
    await testbed.networks.start([]);
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    address = web.endpoints[0]?.addresses.v4?.address ?? '';
    await serve(web.netnsPath, 'tcp', 80, 'web');
    await eventually('the published port is reached', published);
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const published = (): boolean => askBriefly('/run/netns/neighbour', 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.9';
  const running = (): string[] => [...testbed.containers.keys()];
  /** As a command inspects while the daemon is down. */
  const inspectWithout = () => testbed.open().inspect();

  test('of a running daemon finds nothing on a healthy host', async () => {
    const checks = await testbed.networks.inspect();
    assert.deepEqual(failed(checks), []);
    assert.deepEqual(textsOf(checks, 'forwarding'), [
      'enabled by Netyard for containers: packets between other hosts are dropped',
    ]);
  });

  test('finds nothing without the daemon either', async () => {
    await testbed.networks.close();
    const checks = await inspectWithout();
    assert.deepEqual(failed(checks), []);
    assert.match(textsOf(checks, 'forwarding')[0] ?? '', /packets between other hosts are dropped/);
  });

  const reachable = (): boolean => pingsBriefly(undefined, address);
  const damages: [string, string, RegExp, (() => boolean) | undefined][] = [
    [
      "the bridge's missing route",
      'ip route delete 172.17.0.0/16 dev docker0',
      /^address 172\.17\.0\.1\/16 on docker0 differs: without the route to its subnet$/,
      reachable,
    ],
    [
      "the bridge's replaced route",
      'ip route replace 172.17.0.0/16 via 192.0.2.9',
      /^route 172\.17\.0\.0\/16 via 192\.0\.2\.9 dev \S+ takes packets to containers of docker0/,
      reachable,
    ],
    [
      'a more specific route',
      'ip route add 172.17.0.0/24 via 192.0.2.9',
      /^route 172\.17\.0\.0\/24 via 192\.0\.2\.9 dev \S+ takes packets/,
      reachable,
    ],
    [
      "the bridge's deleted address",
      'ip address delete 172.17.0.1/16 dev docker0',
      /^address 172\.17\.0\.1\/16 on docker0 is missing$/,
      reachable,
    ],
    [
      "the bridge's forwarding",
      'sysctl -qw net.ipv4.conf.docker0.forwarding=0',
      /^sysctl net\.ipv4\.conf\.docker0\.forwarding is 0, not 1$/,
      undefined,
    ],
    [
      "the bridge's route_localnet",
      'sysctl -qw net.ipv4.conf.docker0.route_localnet=0',
      /^sysctl net\.ipv4\.conf\.docker0\.route_localnet is 0, not 1$/,
      undefined,
    ],
    [
      "the bridge's proxy_arp_pvlan",
      'sysctl -qw net.ipv4.conf.docker0.proxy_arp_pvlan=1',
      /^sysctl net\.ipv4\.conf\.docker0\.proxy_arp_pvlan is 1, not 0$/,
      undefined,
    ],
    ['disabled forwarding', 'sysctl -qw net.ipv4.ip_forward=0', /^net\.ipv4\.ip_forward = 0: /, published],
  ];
  for (const [what, command, expected, works] of damages) {
    test(`finds ${what}, with a fix that works`, async () => {
      if (works) await eventually('it works before', works);
      sh(command);
      const found = failed(await inspectWithout());
      const finding = found.find(({ text }) => expected.test(text));
      assert.ok(finding, JSON.stringify(found));
      if (works) assert.equal(works(), false, 'the damage is real');
      for (const { fix } of found) runFix(fix);
      assert.deepEqual(failed(await inspectWithout()), []);
      if (works) await eventually('it works again', works);
    });
  }

  test('finds a missing table, which the start of the daemon restores', async () => {
    sh('nft delete table ip netyard');
    const found = failed(await inspectWithout());
    assert.ok(found.some(({ text, grade }) => text === 'nft table ip netyard is missing' && grade === 'broken'));
    assert.ok(found.every(({ fix }) => fix === 'start the daemon'));
    await testbed.open().start(running());
    assert.deepEqual(failed(await testbed.networks.inspect()), []);
  });

  test('lists containers whose inside is not repaired, with the reason', async () => {
    await testbed.run('admin', {}, { netAdmin: true });
    await testbed.run('labelled', {}, { repair: false });
    await testbed.run('forced', {}, { netAdmin: true, repair: true });
    assert.deepEqual(textsOf(await testbed.networks.inspect(), 'containers'), [
      'container admin: changes inside it are not repaired: it may change its network (CAP_NET_ADMIN)',
      'container labelled: changes inside it are not repaired: label netyard.repair=false',
    ]);
    await testbed.networks.close();
    await testbed.open({ repairContainers: 'never' }).start(running());
    assert.ok(
      textsOf(await testbed.networks.inspect(), 'containers').includes(
        'container web: changes inside it are not repaired: --repair-containers never',
      ),
    );
  });

  test('states who enabled forwarding', async () => {
    await testbed.networks.close();
    sh('sysctl -qw net.ipv4.ip_forward=0');
    await testbed.open({ dropForeignForwarding: false }).start(running());
    const noDrop = 'enabled by Netyard with --ip-forward-no-drop: packets between other hosts are left alone';
    assert.deepEqual(textsOf(await testbed.networks.inspect(), 'forwarding'), [noDrop]);
    await testbed.networks.close();
    sh('nft delete table ip netyard');
    await testbed.open().start(running());
    assert.match(textsOf(await testbed.networks.inspect(), 'forwarding')[0] ?? '', /^enabled by the administrator/);
  });
});
