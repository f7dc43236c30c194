/** Repairs inside containers beyond those whose changes are reported at once, on a real kernel. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

const changes = [
  'ip -4 address flush dev eth0',
  'ip -6 address del fd00:1::ADDRESS/64 dev eth0',
  'ip address del 127.0.0.1/8 dev lo',
  'ip route del default',
  'ip route replace default via 10.1.0.99',
  'ip -6 route del default',
  'ip link set eth0 down',
  'ip link set lo down',
  'ip link set eth0 mtu 1300',
  'ip link set eth0 address 02:00:00:00:00:99',
  'ip link del eth0',
  'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1',
];

describe('containers beyond those with a notification socket', host, () => {
  const kernel = openKernel({ notificationSockets: 1 });
  const testbed = new Testbed({ kernel });
  const containers: { name: string; ns: string; whole: string }[] = [];

  const network: Partial<SandboxConfig> = { mode: { kind: 'network', ref: 'dual' }, endpoints: [{ network: 'dual' }] };
  /** Without indexes and what the kernel computes: a pair that was deleted is created again. */
  const state = (ns: string): string =>
    sh(
      `nsenter --net=${ns} sh -c 'ip -o link; ip -o address; ip route; ip -6 route show default; sysctl net.ipv6.conf.eth0.disable_ipv6; true' 2>&1`,
    )
      .replace(/^\d+: |@\S+| link-netnsid \d+|qlen \d+|state \S+/gm, '')
      .split('\n')
      .filter((line) => !/inet6 (fe80|::1)/.test(line))
      .toSorted()
      .join('\n');
  const repairs = (): number => testbed.events.filter(({ action }) => action === 'repair').length;
  const hasSocket = (ns: string): boolean =>
    sh(`nsenter --net=${ns} cat /proc/thread-self/net/netlink`)
      .split('\n')
      .some((line) => /^\S+ +0 +\S+ +0*[1-9a-f]/.test(line));

  before(async () => {
    await testbed.networks.start([]);
    const ipam = { v4: [{ subnet: '10.1.0.0/24' }], v6: [{ subnet: 'fd00:1::/64' }] };
    await testbed.networks.create({ name: 'dual', driver: 'bridge', internal: false, ipam });
    for (const [index] of [...changes, 'last'].entries()) {
      const { netnsPath: ns = '' } = await testbed.run(`c${index}`, network);
      containers.push({ name: `c${index}`, ns, whole: '' });
    }
    for (const container of containers) {
      await eventually(
        'its addresses are unique',
        () => !/tentative/.test(sh(`nsenter --net=${container.ns} ip -6 address`)),
      );
      container.whole = state(container.ns);
    }
    await eventually('one socket is left', () => containers.filter(({ ns }) => hasSocket(ns)).length === 1);
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  for (const [index, change] of changes.entries())
    test(`${change} is repaired, and a second time`, async () => {
      const { ns, whole } = containers[index] ?? assert.fail();
      const command = `nsenter --net=${ns} ${change.replace('ADDRESS', `${index + 2}`)}`;
      assert.match(whole, /fd00:1::/);
      for (let round = 1; round <= 2; round += 1) {
        const before = repairs();
        sh(command);
        assert.notEqual(state(ns), whole);
        await eventually('a repair is reported', () => repairs() > before);
        await eventually('the container is whole', () => state(ns) === whole);
        // So the second change has a notification. The host's end reports a deleted pair before any sample.
        await eventually('it has a socket', () => hasSocket(ns));
      }
    });

  test('one container has a socket in the end', async () => {
    await eventually('one socket is left', () => containers.filter(({ ns }) => hasSocket(ns)).length === 1);
  });
});
