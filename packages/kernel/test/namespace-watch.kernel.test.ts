/** Changes inside other network namespaces, on a real kernel. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { hasErrno, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = await inFreshHost(import.meta.url);
const path = '/run/netns/inside';

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    if (holds()) return;
    await pause(20);
  }
  assert.fail('nothing was reported within a minute');
}

/** A namespace with one end of a veth pair, an address and a route, and the reports of a watch on it. */
async function watching(work: (reported: string[], rearm: () => void) => Promise<void>): Promise<void> {
  sh('ip netns add inside; ip link add n0 type veth peer name eth0 netns inside; ip link set n0 up');
  sh('ip -n inside link set lo up; ip -n inside link set eth0 up; ip -n inside address add 10.1.1.2/24 dev eth0');
  sh('ip -n inside route add default via 10.1.1.1; ip netns exec inside sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1');
  await until(() => sh('ip -n inside -br link show eth0').includes('LOWER_UP'));
  const reported: string[] = [];
  const watch = openKernel().watchNamespaces((changed) => reported.push(changed));
  try {
    watch.add(path);
    await work(reported, () => watch.rearm(path));
  } finally {
    watch.close();
    sh('ip link delete n0; ip netns delete inside');
  }
}

describe('a watch on a namespace', host, () => {
  const changes = [
    'ip address del 10.1.1.2/24 dev eth0',
    'ip address add 10.1.1.3/24 dev eth0',
    'ip link set eth0 down',
    'ip link set lo down',
    'ip link set eth0 mtu 1300',
    'ip link set eth0 address 02:00:00:00:00:09',
    'ip link set eth0 name eth9',
    'ip route del default',
    'ip route replace default via 10.1.1.9',
    'ip link add b0 type bridge',
    'sysctl -qw net.ipv4.conf.all.forwarding=1',
    'sysctl -qw net.ipv6.conf.all.forwarding=1',
    'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0',
  ];
  for (const change of changes) {
    test(`reports ${change}`, async () => {
      await watching(async (reported, rearm) => {
        await pause(50); // the kernel reports the carrier of the pair slightly later
        rearm();
        reported.length = 0;
        sh(`ip netns exec inside ${change}`);
        await until(() => reported.length > 0);
        assert.deepEqual(reported, [path]);
      });
    });
  }

  test('reports the first of many changes with few signals, and the next one after rearming', async () => {
    await watching(async (reported, rearm) => {
      let signals = 0;
      const count = (): void => {
        signals += 1;
      };
      process.on('SIGIO', count);
      const flaps = Array.from({ length: 2000 }, (_, index) => `link set lo ${index % 2 ? 'up' : 'down'}`).join('\n');
      execFileSync('ip', ['-n', 'inside', '-batch', '-'], { input: flaps });
      await until(() => reported.length > 0);
      await pause(100);
      assert.deepEqual(reported, [path]);
      assert.ok(signals < 100, `${signals} signals for 2000 changes`);
      rearm();
      sh('ip -n inside link set lo down');
      await until(() => reported.length > 1);
      process.removeListener('SIGIO', count);
    });
  });

  test('leaves no descriptor open, and the namespace ends when it is unpinned', async () => {
    const watch = openKernel().watchNamespaces(() => undefined);
    sh('ip netns add inside; ip link add n0 type veth peer name eth0 netns inside');
    const before = readdirSync('/proc/self/fd').length;
    watch.add(path);
    assert.equal(readdirSync('/proc/self/fd').length, before + 1);
    assert.throws(
      () => watch.add('/run/netns/none'),
      (error: unknown) => hasErrno(error, 'ENOENT'),
    );
    watch.remove(path);
    watch.remove(path);
    watch.rearm(path);
    assert.equal(readdirSync('/proc/self/fd').length, before);
    sh('ip netns delete inside');
    await until(() => !sh('ip -br link').includes('n0'));
    watch.close();
    assert.equal(readdirSync('/proc/self/fd').length, before - 1);
  });

  test('reports the changed namespace among many', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `many${index}`);
    execFileSync('ip', ['-batch', '-'], { input: names.map((name) => `netns add ${name}`).join('\n') });
    const reported: string[] = [];
    const watch = openKernel().watchNamespaces((changed) => reported.push(changed));
    for (const name of names) watch.add(`/run/netns/${name}`);
    sh('ip -n many7 link set lo up; ip -n many150 link set lo up');
    await until(() => reported.length > 1);
    assert.deepEqual(reported.toSorted(), ['/run/netns/many150', '/run/netns/many7']);
    watch.close();
  });
});
