/** `netyard explain X | sh` on an empty host creates the same objects as Netyard, by a comparison of both hosts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';
import { dumpNetwork } from './support/network-dump.ts';

describe('explain', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  before(async () => {
    host = await openHost('netyard', { images: ['nginx-app01', 'netyard-test'] });
  });
  after(() => host.close());

  /** The kernel deletes the interfaces of a deleted namespace later than the command that deleted it returns. */
  const untilInterfaces = (count: number, where = host): Promise<void> =>
    until(
      async () => (await where.sh('ip -o link show type veth master docker0 | wc -l')).trim() === `${count}`,
      `${count} interfaces of containers are left`,
    );

  /** Runs the script of `explain` on an empty host, with files below that host's data folder. */
  const replay = async (ref: string, compare: (replica: TestHost) => Promise<void>): Promise<void> => {
    const script = await host.netyard('explain', ref);
    const replica = await openHost('netyard', { daemon: false });
    try {
      const own = script.replaceAll(host.dataFolder, replica.dataFolder);
      const folders = [...new Set([...own.matchAll(/> ?'?([^\s']+)\/[^\s/']+/g)].map((match) => match[1] ?? ''))];
      await replica.output('mkdir', '-p', replica.dataFolder, ...folders.filter((one) => one.startsWith('/var/lib/')));
      const result = await replica.run(['sh', '-eu'], { stdin: own });
      assert.equal(result.status, 0, `${result.stderr}\n${own}`);
      await compare(replica);
    } finally {
      await replica.close();
    }
  };

  test('the script of the network bridge recreates it', async () => {
    await replay('bridge', async (replica) => assert.deepEqual(await dumpNetwork(replica), await dumpNetwork(host)));
  });

  test('the script of a container recreates its network, link and published ports', async () => {
    await host.docker('run', '-d', '--name', 'nginx-1', '-p', '8801:80', 'nginx-app01', 'nginx');
    const options = [
      '--link',
      'nginx-1:web1',
      '--add-host',
      'db:10.0.0.9',
      '-p',
      '8803:80',
      '-p',
      '127.0.0.1:53:53/udp',
    ];
    await host.docker('run', '-d', '--name', 'nginx-3', ...options, 'nginx-app01', 'nginx');
    await host.docker('stop', '-t', '0', 'nginx-1'); // only nginx-3's objects are left, and its file keeps the line
    await untilInterfaces(1);
    const netns = await host.docker('inspect', '-f', '{{.NetworkSettings.SandboxKey}}', 'nginx-3');
    const hosts = await host.docker('inspect', '-f', '{{.HostsPath}}', 'nginx-3');
    await replay('nginx-3', async (replica) => {
      assert.deepEqual(await dumpNetwork(replica), await dumpNetwork(host));
      assert.deepEqual(await dumpNetwork(replica, netns), await dumpNetwork(host, netns));
      const written = hosts.replace(host.dataFolder, replica.dataFolder);
      assert.equal(await replica.output('cat', written), await host.output('cat', hosts));
      assert.match(await host.output('cat', hosts), /\tweb1 [0-9a-f]{12} nginx-1\n/);
    });
  });

  test('start --dry-run prints commands and changes nothing', async () => {
    await host.docker('create', '--name', 'later', '-p', '8900:80', 'netyard-test', 'sleep', '1000');
    const before = await dumpNetwork(host);
    const shown = await host.netyard('start', '--dry-run', 'later');
    assert.match(shown, /ip .*link add/);
    assert.match(shown, /8900/);
    assert.deepEqual(await dumpNetwork(host), before);
    assert.equal(await host.docker('inspect', '-f', '{{.State.Status}}', 'later'), 'created');
    await host.docker('rm', 'later');
  });

  test('network disconnect and connect --dry-run print commands and change nothing', async () => {
    await host.docker('run', '-d', '--name', 'moving', '-p', '8901:80', 'netyard-test', 'sleep', '1000');
    const before = await dumpNetwork(host);
    assert.match(
      await host.netyard('network', 'disconnect', '--dry-run', 'bridge', 'moving'),
      /nft delete element .*8901/s,
    );
    assert.deepEqual(await dumpNetwork(host), before);
    await host.docker('network', 'disconnect', 'bridge', 'moving');
    assert.match(await host.netyard('network', 'connect', '--dry-run', 'bridge', 'moving'), /ip link add .*type veth/s);
    await host.docker('rm', '-f', 'moving');
  });

  test('stop and rm --dry-run print commands that delete the same objects as stop', async () => {
    await host.docker('rm', '-f', 'nginx-1', 'nginx-3');
    await untilInterfaces(0);
    await host.docker(
      'run',
      '-d',
      '--name',
      'ending',
      '-p',
      '8902:80',
      '-p',
      '53:53/udp',
      'netyard-test',
      'sleep',
      '99',
    );
    const before = await dumpNetwork(host);
    const shown = await host.netyard('stop', '--dry-run', 'ending');
    assert.equal(await host.netyard('rm', '-f', '--dry-run', 'ending'), shown);
    assert.deepEqual(await dumpNetwork(host), before);
    assert.equal(await host.docker('inspect', '-f', '{{.State.Status}}', 'ending'), 'running');
    const rejected = await host.tryNetyard('rm', '--dry-run', 'ending');
    assert.match(rejected.stderr, /container is running: stop the container before removing or force remove/);
    assert.equal(rejected.status, (await host.tryNetyard('rm', 'ending')).status);
    await replay('ending', async (replica) => {
      assert.deepEqual(await dumpNetwork(replica), before);
      const result = await replica.run(['sh', '-eu'], { stdin: shown });
      assert.equal(result.status, 0, result.stderr);
      await host.docker('stop', '-t', '0', 'ending');
      await Promise.all([untilInterfaces(0), untilInterfaces(0, replica)]);
      assert.deepEqual(await dumpNetwork(replica), await dumpNetwork(host));
    });
    assert.equal(await host.netyard('rm', '--dry-run', 'ending'), '# no changes');
    await host.docker('rm', 'ending');
  });

  test('an unknown name is rejected', async () => {
    for (const name of ['absent', 'server2/absent']) {
      const { status, stderr } = await host.tryNetyard('explain', name);
      assert.deepEqual(
        [status, stderr],
        [1, `Error response from daemon: No such container, network or peer: ${name}\n`],
      );
    }
  });
});
