/**
 * Tests ufw and firewalld, as Debian ships them, on a host with containers. NETYARD_FIREWALLS=DIR names a folder that
 * `script/unpack-firewalls DIR` filled; it is overlaid on /etc and /usr of the test host.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  ask,
  askBriefly,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import type { SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const unpacked = `${process.env['NETYARD_FIREWALLS'] ?? ''}/root`;
const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';
const missing = 'NETYARD_FIREWALLS names no folder that script/unpack-firewalls filled';
const options = existsSync(`${unpacked}/usr/sbin/ufw`) ? host : { skip: host.skip || missing };

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
</policy></busconfig>`;

/** Overlays keep the firewalls' writes off the machine. */
function layOver(): void {
  sh('mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/lock /run/dbus /run/firewalld /run/etc /run/etc-work');
  sh(`mount -t overlay overlay -o lowerdir=${unpacked}/etc:/etc,upperdir=/run/etc,workdir=/run/etc-work /etc`);
  sh(`mount -t overlay overlay -o lowerdir=${unpacked}/usr:/usr /usr && mount -t tmpfs tmpfs /var/log`);
  writeFileSync('/run/dbus.conf', busConfig);
}

interface Firewall {
  name: string;
  start(): Promise<void>;
  reload(): void;
  stop(): Promise<void>;
}

const ufw: Firewall = {
  name: 'ufw',
  start: async () => void sh('ufw --force enable'),
  reload: () => sh('ufw reload'),
  stop: async () => void sh('ufw disable'),
};

let firewalldProcess: ReturnType<typeof spawn> | undefined;
const firewalld: Firewall = {
  name: 'firewalld',
  start: async () => {
    if (!existsSync('/run/dbus/system_bus_socket')) sh('dbus-daemon --config-file=/run/dbus.conf --fork --nopidfile');
    firewalldProcess = spawn('firewalld', ['--nofork', '--nopid'], { stdio: 'ignore' });
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (sh('firewall-cmd --state 2>/dev/null || true').trim() === 'running') return;
    }
    throw new Error('firewalld does not start');
  },
  reload: () => sh('firewall-cmd --reload'),
  stop: async () => {
    const ended = firewalldProcess && once(firewalldProcess, 'close');
    firewalldProcess?.kill();
    await ended;
  },
};

describe('with another firewall', options, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let web = '';
  let other = '';
  let client: SandboxState;
  let target = '';

  before(async () => {
    layOver();
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip -n neighbour route add default via 192.0.2.1');
    await testbed.networks.start([]);
    web = await testbed.create('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    other = await testbed.create('client');
    await startContainers();
  });

  async function startContainers(): Promise<void> {
    const { endpoints, netnsPath } = await testbed.start(web);
    client = await testbed.start(other);
    target = endpoints[0]?.addresses.v4?.address ?? '';
    await serve(netnsPath, 'tcp', 80, 'web');
  }

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  const marked = (): string => sh('nft list ruleset | grep -c "comment \\"netyard: [ft].*docker0\\"" || true').trim();

  async function passes(): Promise<void> {
    const published = (): boolean => askBriefly(neighbour, 'tcp', '192.0.2.1', 8801) === 'web 192.0.2.9';
    await eventually('the published port is reached from outside', published);
    await eventually('containers reach out', () => pingsBriefly(client.netnsPath, '192.0.2.9'));
    const own = client.endpoints[0]?.addresses.v4?.address;
    assert.equal(ask(client.netnsPath, 'tcp', '192.0.2.1', 8801), `web ${own}`, 'through the host’s address');
    assert.ok(pings(client.netnsPath, target), 'to each other');
    assert.equal(askBriefly(neighbour, 'tcp', target, 80), '', 'not published');
    assert.deepEqual(testbed.networks.warnings(), []);
  }

  for (const firewall of [ufw, firewalld]) {
    test(`${firewall.name}: containers are reachable and have outbound access after each reload and restart of both`, async () => {
      await firewall.start();
      await eventually('the rules are there', () => marked() === '2');
      await passes();
      firewall.reload();
      await passes();
      await testbed.networks.close();
      await testbed.open().start([...testbed.containers.keys()]);
      await passes();
      await firewall.stop();
      await passes();
      await firewall.start();
      await passes();
      const ids = [...testbed.containers.keys()];
      await testbed.networks.close();
      firewall.reload(); // while no daemon runs that would restore the rules
      await testbed.open().start(ids);
      await passes();
    });

    test(`${firewall.name}: the daemon deletes its rules on exit if no container runs`, async () => {
      await testbed.networks.close();
      assert.equal(marked(), '2', 'containers go on');
      await testbed.open().start([]);
      await testbed.networks.close();
      assert.equal(marked(), '0');
      await testbed.open().start([]);
      await startContainers();
      await firewall.stop();
    });
  }
});
