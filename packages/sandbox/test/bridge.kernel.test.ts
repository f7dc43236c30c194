/** Tests the default bridge with real packets: containers, host, neighbours, published ports, masquerade. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ask, askBriefly, eventually, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';

const host = inFreshHost(import.meta.url);

describeBridge(host, {}, (testbed, neighbour) => {
  test('a container gets a namespace, an address, a route and files, and its removal deletes all of them', async () => {
    const state = await testbed.run('web');
    const ns = state.netnsPath ?? '';
    assert.match(ns, /^\/run\/netns\/ny-[0-9a-f]{12}$/);
    assert.ok(existsSync(ns));
    const [endpoint] = state.endpoints;
    assert.equal(endpoint?.addresses.v4?.address, '172.17.0.2');
    assert.match(sh(`nsenter --net=${ns} ip -4 -o address show eth0`), /172\.17\.0\.2\/16 brd 172\.17\.255\.255/);
    assert.match(sh(`nsenter --net=${ns} ip route`), /default via 172\.17\.0\.1 dev eth0/);
    assert.ok(pings(ns, '172.17.0.1'));
    assert.ok(pings(undefined, '172.17.0.2'));
    assert.match(readFileSync(state.files.hosts, 'utf8'), /^172\.17\.0\.2\t[0-9a-f]{12}$/m);
    assert.equal(readFileSync(state.files.resolvConf, 'utf8'), 'nameserver 192.0.2.53\nsearch example\n');
    await testbed.remove(state.containerId);
    assert.ok(!existsSync(ns));
    await eventually('the link is gone', () => !/ny-/.test(sh('ip -o link')));
  });

  test('a published port answers neighbours, the host, 127.0.0.1 and other containers', async () => {
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    const other = await testbed.run('other');
    await serve(web.netnsPath, 'tcp', 80, 'web');
    const address = web.endpoints[0]?.addresses.v4?.address ?? '';
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8801), 'web 192.0.2.9', 'the source address is kept');
    assert.equal(ask(undefined, 'tcp', '192.0.2.1', 8801), 'web 192.0.2.1');
    assert.match(ask(undefined, 'tcp', '127.0.0.1', 8801), /^web /);
    assert.match(ask(other.netnsPath, 'tcp', '172.17.0.1', 8801), /^web /);
    assert.match(ask(other.netnsPath, 'tcp', '192.0.2.1', 8801), /^web /);
    assert.match(ask(web.netnsPath, 'tcp', '192.0.2.1', 8801), /^web /, 'a container reaches itself');
    assert.match(ask(other.netnsPath, 'tcp', address, 80), /^web 172\.17\./, 'icc');
    // Only published ports are reachable from outside.
    sh('ip -n neighbour route add 172.17.0.0/16 via 192.0.2.1');
    assert.equal(askBriefly(neighbour, 'tcp', address, 80), '');
    assert.ok(!pingsBriefly(neighbour, address));
    await testbed.remove(web.containerId);
    assert.equal(askBriefly(neighbour, 'tcp', '192.0.2.1', 8801), '');
    await testbed.remove(other.containerId);
  });

  test('a port published on 127.0.0.1 is reachable from this host only', async () => {
    const ports = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8802, hostAddress: '127.0.0.1' }];
    const web = await testbed.run('web', { ports });
    const other = await testbed.run('other');
    await serve(web.netnsPath, 'tcp', 80, 'web');
    assert.match(ask(undefined, 'tcp', '127.0.0.1', 8802), /^web /);
    assert.equal(askBriefly(undefined, 'tcp', '192.0.2.1', 8802), '');
    sh(
      'ip -n neighbour route replace 127.0.0.0/8 via 192.0.2.1 table 100; ip -n neighbour rule add pref 0 to 127.0.0.1 dport 8802 lookup 100',
    );
    sh('nsenter --net=/run/netns/neighbour sysctl -qw net.ipv4.conf.all.route_localnet=1');
    for (const target of ['192.0.2.1', '127.0.0.1', '172.17.0.1'])
      assert.equal(askBriefly(neighbour, 'tcp', target, 8802), '', `neighbour to ${target}`);
    for (const target of ['192.0.2.1', '172.17.0.1'])
      assert.equal(askBriefly(other.netnsPath, 'tcp', target, 8802), '', `container to ${target}`);
    await testbed.remove(web.containerId);
    await testbed.remove(other.containerId);
  });

  test('a published UDP port follows its new container: conntrack entries of the former one are flushed', async () => {
    const ports = [{ protocol: 'udp' as const, containerPort: 53, hostPort: 5353 }];
    const first = await testbed.run('first', { ports });
    await serve(first.netnsPath, 'udp', 53, 'first');
    await eventually('the first answers', () =>
      /^first/.test(askBriefly(neighbour, 'udp', '192.0.2.1', 5353, ',sourceport=7777')),
    );
    await testbed.remove(first.containerId);
    const second = await testbed.run('second', { ports });
    await serve(second.netnsPath, 'udp', 53, 'second');
    await eventually('the second answers', () =>
      /^second/.test(askBriefly(neighbour, 'udp', '192.0.2.1', 5353, ',sourceport=7777')),
    );
    await testbed.remove(second.containerId);
  });

  test('outgoing traffic is masqueraded', async () => {
    const client = await testbed.run('client');
    await serve(neighbour, 'tcp', 9000, 'neighbour');
    assert.equal(ask(client.netnsPath, 'tcp', '192.0.2.9', 9000), 'neighbour 192.0.2.1');
    await testbed.remove(client.containerId);
  });
});
