/** Changes that root of the host makes inside a container are repaired, except in containers with CAP_NET_ADMIN. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';

const image = 'nginx-app01';
const neighbour = '172.16.2.102';
/** A repair takes less. */
const repairMs = 2000;

describe('changes inside a container', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    const [first] = await openHosts('netyard', ['server1', 'server2'], { images: [image] });
    assert.ok(first);
    host = first;
  });
  after(() => host.close());

  const run = async (name: string, ...options: string[]): Promise<void> =>
    void (await host.docker('run', '-d', '--name', name, ...options, image, 'sleep', '1000'));
  /** Runs a command as root of the host in the container's network namespace. */
  const inside = async (name: string, command: string): Promise<string> =>
    host.sh(`nsenter -t ${await host.docker('inspect', '-f', '{{.State.Pid}}', name)} -n ${command}`);
  const reachesOut = async (name: string): Promise<boolean> =>
    (await host.tryDocker('exec', name, 'ping', '-c', '1', '-W', '2', neighbour)).status === 0;
  const hasRoute = async (name: string): Promise<boolean> => /default/.test(await inside(name, 'ip route'));

  test('a deleted default route, address or interface is restored, with an event', async () => {
    await run('web');
    await until(() => reachesOut('web'), 'the container reaches out');
    const since = await host.sh('date +%s.%N');
    for (const command of [
      'ip route del default',
      'ip address flush dev eth0',
      'ip link set eth0 down',
      'ip link del eth0',
    ]) {
      await inside('web', command);
      await until(() => reachesOut('web'), `${command}: the container reaches the neighbour again`);
    }
    const upTo = await host.sh('date +%s.%N');
    const events = await host.docker(
      'events',
      '--since',
      since.trim(),
      '--until',
      upTo.trim(),
      '--filter',
      'type=network',
    );
    assert.match(events, /network repair .*create route default/);
    await host.docker('rm', '-f', 'web');
  });

  test('changes in a container with NET_ADMIN are kept, also after a restart of the daemon', async () => {
    await run('vpn', '--cap-add', 'NET_ADMIN');
    await run('watched', '--cap-add', 'NET_ADMIN', '--label', 'netyard.repair=true');
    await run('unwatched', '--label', 'netyard.repair=false');
    for (const name of ['vpn', 'watched', 'unwatched']) await inside(name, 'ip route del default');
    await until(() => hasRoute('watched'), 'the route of the container with the label');
    await pause(repairMs);
    assert.deepEqual([await hasRoute('vpn'), await hasRoute('unwatched')], [false, false]);
    assert.match(await host.netyard('explain', 'vpn'), /^# container vpn; changes inside it are not repaired$/m);
    assert.match(await host.netyard('explain', 'watched'), /^# container watched$/m);
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'watched');
    await host.killDaemon();
    await host.sh(`nsenter -t ${pid} -n ip route del default`);
    await host.restartDaemon();
    await until(() => hasRoute('watched'), 'the route that was deleted while the daemon was down');
    assert.deepEqual([await hasRoute('vpn'), await hasRoute('unwatched')], [false, false]);
    await inside('watched', 'ip route del default');
    await until(() => hasRoute('watched'), 'the route that was deleted after the restart');
    await host.docker('rm', '-f', 'vpn', 'watched', 'unwatched');
  });

  test('an invalid value of the label is rejected', async () => {
    const bad = await host.tryDocker('create', '--label', 'netyard.repair=maybe', image);
    assert.match(bad.stderr, /invalid value "maybe" of the label netyard\.repair/);
  });

  test('containers that are removed before a repair leave nothing', async () => {
    const count = async (): Promise<string> => host.sh('ls /proc/$(cat /run/netyard/netyard.pid)/fd | wc -l');
    await run('warm');
    await host.docker('rm', '-f', 'warm');
    await pause(repairMs);
    const before = Number(await count());
    for (let round = 0; round < 6; round += 1) {
      await run('short');
      await inside('short', 'ip route del default');
      await host.docker('rm', '-f', 'short');
    }
    // The daemon's own descriptors vary.
    await until(async () => Number(await count()) <= before + 3, 'no descriptor per container is left');
    await until(
      async () => !/ny-/.test(await host.sh('ip -o link; ip netns')),
      'no interface and no namespace is left',
    );
  });
});
