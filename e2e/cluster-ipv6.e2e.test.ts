/**
 * A cluster of two hosts that have no IPv4 address, with etcd on the first: they find each other, and their containers reach
 * each other by address, and by name on a network of the cluster.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { openHosts, type TestHost, until } from './support/host.ts';

const etcd = 'http://[2001:db8::101]:2379';

describe('a cluster over IPv6', { skip: cannotRun('netyard') }, () => {
  let hosts: TestHost[] = [];
  before(async () => {
    hosts = await openHosts('netyard', ['node1', 'node2'], {
      daemon: false,
      daemonOptions: ['--cluster', 'etcd://[2001:db8::101]:2379'],
    });
    for (const [index, host] of hosts.entries())
      await host.sh(`ip -4 address flush dev ens33 && ip address add 2001:db8::10${index + 1}/64 dev ens33 nodad`);
    const urls = ['--listen-client-urls', etcd, '--advertise-client-urls', etcd];
    at(0).start(['etcd', '--data-dir', '/run/etcd', '--log-level', 'error', ...urls]);
    for (const host of hosts) {
      await host.restartDaemon();
      await host.load('netyard-test');
      await host.docker('run', '-d', '--name', 'web', 'netyard-test', 'sleep', '10000');
    }
  });
  after(() => hosts[0]?.close());

  const at = (index: number): TestHost => {
    const host = hosts[index];
    assert.ok(host);
    return host;
  };
  const pings = async (from: TestHost, container: string, to: string): Promise<boolean> =>
    (await from.tryDocker('exec', container, 'ping', '-c', '1', '-W', '30', to)).status === 0;

  test('each host publishes its IPv6 address, and is reached by a route', async () => {
    for (const host of hosts) {
      const listed = (): Promise<string> =>
        host.netyard('cluster', 'ls', '--format', '{{.Name}} {{.Address}} {{.State}}');
      await until(async () => /node2 2001:db8::102/.test(await listed()), 'both hosts are members');
      assert.match(await listed(), /^node1 2001:db8::101 /m);
    }
    const address = await at(1).docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web');
    await until(() => pings(at(0), 'web', address), 'the containers reach each other');
    assert.match(await at(0).sh('ip route'), /^192\.168\.\d+\.0\/24 via inet6 2001:db8::102 dev ens33 /m);
  });

  test('a network of the cluster connects containers by name, in both families', async () => {
    await at(0).netyard('network', 'create', '--scope', 'cluster', '--ipv6', 'back');
    await until(async () => (await at(1).tryDocker('network', 'inspect', 'back')).status === 0, 'it exists on node2');
    await at(0).docker('run', '-d', '--name', 'one', '--network', 'back', 'netyard-test', 'sleep', '10000');
    await at(1).docker('run', '-d', '--name', 'two', '--network', 'back', 'netyard-test', 'sleep', '10000');
    await until(() => pings(at(0), 'one', 'two'), 'by name');
    const six = '{{(index .NetworkSettings.Networks "back").GlobalIPv6Address}}';
    const address = await at(1).docker('inspect', '-f', six, 'two');
    await until(() => pings(at(0), 'one', address), 'by IPv6 address');
    assert.match(await at(0).sh('ip -6 route'), /^fd\S+ via 2001:db8::102 dev ens33 /m);
    assert.match(await at(0).netyard('peer', 'ls'), /node2\/back .* route dev ens33 .* ready/);
  });
});
