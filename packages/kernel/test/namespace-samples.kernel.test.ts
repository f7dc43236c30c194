/** Changes in network namespaces without a notification socket, on a real kernel. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = await inFreshHost(import.meta.url);
const pathOf = (name: string): string => `/run/netns/${name}`;

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt += 1) {
    if (holds()) return;
    await pause(20);
  }
  assert.fail(what);
}

/** Rows of the kernel's netlink sockets of rtnetlink that have joined groups. */
const subscribedSockets = (name: string): number =>
  execFileSync('nsenter', [`--net=${pathOf(name)}`, 'cat', '/proc/thread-self/net/netlink'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, protocol, , groups = '']) => protocol === '0' && /[^0]/.test(groups)).length;

const descriptors = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false; // of the folder that was read
    }
  }).length;

interface Watched {
  reported: string[];
  watch: ReturnType<ReturnType<typeof openKernel>['watchNamespaces']>;
  /** Those with a socket. */
  subscribed(): string[];
}

function createNamespace(name: string): void {
  sh(`ip netns add ${name}; ip link add h${name} type veth peer name eth0 netns ${name}; ip link set h${name} up`);
  sh(`ip -n ${name} link set lo up; ip -n ${name} link set eth0 up`);
  sh(`ip -n ${name} address add 10.1.1.2/24 dev eth0; ip -n ${name} address add fd00:1::2/64 dev eth0 nodad`);
  sh(`ip -n ${name} route add default via 10.1.1.1; ip -n ${name} route add default via fd00:1::1`);
}

/** Namespaces as those of containers, of which two may have a socket; the others have lost theirs. */
async function watching(
  work: (watched: Watched) => void | Promise<void>,
  { names = ['n0', 'n1', 'n2', 'n3', 'n4'], settled = true } = {},
): Promise<void> {
  for (const name of names) createNamespace(name);
  const isUnique = (name: string): boolean => !/tentative/.test(sh(`ip -n ${name} -6 address`));
  await until('the kernel has proven its own addresses unique', () => names.every(isUnique));
  const kernel = openKernel({ notificationSockets: 2 });
  const reported: string[] = [];
  const watch = kernel.watchNamespaces((path) => reported.push(path));
  const subscribed = (): string[] => names.filter((name) => subscribedSockets(name) > 0);
  try {
    for (const name of names) watch.add(pathOf(name));
    if (settled) await until('two sockets are left', () => subscribed().length === 2);
    await work({ reported, watch, subscribed });
  } finally {
    watch.close();
    kernel.close();
    for (const name of names) sh(`ip netns delete ${name}`);
    await until('the pairs have ended', () => !/ hn\d/.test(sh('ip -o link')));
  }
}

describe('a watch on more namespaces than may have a socket', host, () => {
  const changes = [
    'ip address del 10.1.1.2/24 dev eth0',
    'ip address add 10.1.1.3/24 dev eth0',
    'ip address del fd00:1::2/64 dev eth0',
    "sh -c 'ip address flush dev eth0; ip address add 10.1.1.2/24 brd 10.1.1.7 dev eth0'",
    'ip route del default',
    'ip route replace default via 10.1.1.9',
    'ip -6 route del default',
    'ip -6 route replace default via fd00:1::9',
    'ip link set eth0 down',
    'ip link set lo down',
    'ip link set eth0 mtu 1300',
    'ip link set eth0 address 02:00:00:00:00:09',
    'ip link set eth0 name eth9',
    'ip link del eth0',
    'ip link add b0 type bridge',
    'sysctl -qw net.ipv4.conf.all.forwarding=1',
    'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1',
  ];

  test('each kind of change is found, once', async () => {
    const names = changes.map((_change, index) => `n${index}`);
    const idle = ['n98', 'n99'];
    await watching(
      async ({ reported, subscribed }) => {
        assert.deepEqual(subscribed(), idle);
        for (const [index, change] of changes.entries()) sh(`ip netns exec n${index} ${change}`);
        for (const [index, change] of changes.entries())
          await until(`${change} is found`, () => reported.includes(pathOf(`n${index}`)));
        await pause(2500); // further samples
        assert.deepEqual(reported.toSorted(), names.map(pathOf).toSorted());
      },
      { names: [...names, ...idle] },
    );
  });

  test('a namespace whose change was found has a socket, which reports the next one', async () => {
    await watching(async ({ reported, watch, subscribed }) => {
      assert.deepEqual(subscribed(), ['n3', 'n4']);
      sh('ip -n n1 link set lo down');
      await until('the change is found', () => reported.length > 0);
      assert.ok(subscribed().includes('n1'));
      watch.rearm(pathOf('n1'));
      await until('the quietest has lost its socket', () => subscribed().length === 2);
      assert.deepEqual(subscribed(), ['n1', 'n4']);
      for (let round = 1; round <= 2; round += 1) {
        sh(`ip -n n1 link set lo ${round === 1 ? 'up' : 'down'}`);
        await until('the next one is reported', () => reported.length > round);
        watch.rearm(pathOf('n1'));
      }
      assert.deepEqual(reported, [pathOf('n1'), pathOf('n1'), pathOf('n1')]);
      assert.deepEqual(subscribed(), ['n1', 'n4']);
    });
  });

  test('traffic, counters and a carrier that was lost are no changes', async () => {
    await watching(async ({ reported }) => {
      sh('ip address add 10.1.1.1/24 dev hn1; ping -c 3 -i 0.2 10.1.1.2; ip link set hn2 down; ip link set hn2 up');
      await pause(3000); // three samples of each
      assert.deepEqual(reported, []);
    });
  });

  test('a change before the socket is closed is reported, too', async () => {
    await watching(
      async ({ reported }) => {
        sh('ip -n n0 link set lo down; ip -n n1 link set lo down');
        await until('both are reported', () => reported.length > 1);
        assert.deepEqual(reported.toSorted(), [pathOf('n0'), pathOf('n1')]);
      },
      { settled: false },
    );
  });

  test('a held namespace has a socket; its change before that is found', async () => {
    await watching(async ({ reported, watch, subscribed }) => {
      sh('ip -n n0 link set lo down');
      const release = watch.hold(pathOf('n0'));
      assert.ok(subscribed().includes('n0'));
      await until('the former change is found', () => reported.length > 0);
      watch.rearm(pathOf('n0'));
      sh('ip -n n0 link set lo up');
      await until('the next one is reported', () => reported.length > 1);
      assert.deepEqual(reported, [pathOf('n0'), pathOf('n0')]);
      release();
      release();
      watch.hold('/run/netns/none')();
    });
  });

  test('no descriptor stays open in a sampled namespace, which ends when it is unpinned', async () => {
    await watching(async ({ reported, watch }) => {
      await pause(1500); // samples
      const sockets = descriptors();
      sh('ip netns delete n0');
      await until('its pair has ended', () => !sh('ip -br link').includes('hn0'));
      await pause(1500);
      assert.deepEqual(reported, []);
      assert.equal(descriptors(), sockets);
      watch.remove(pathOf('n0'));
      sh('ip netns add n0');
    });
  });
});
