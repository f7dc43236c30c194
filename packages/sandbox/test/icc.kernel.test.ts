/**
 * Tests icc=false: containers of the default bridge reach each other only through links, with and without br_netfilter.
 */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { ask, askBriefly, inFreshHost, pings, pingsBriefly, serve, sh, succeeds } from '@netyard/testkit';
import { describeBridge } from './bridge-host.ts';

const host = inFreshHost(import.meta.url);

describeBridge(host, { icc: false }, (testbed, neighbour) => {
  test('neither IP nor ARP passes between two containers, all other traffic does', async () => {
    const ports = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8803 }];
    const web = await testbed.run('web', { ports });
    const other = await testbed.run('other');
    await serve(web.netnsPath, 'tcp', 80, 'web');
    const address = web.endpoints[0]?.addresses.v4?.address ?? '';
    const own = other.endpoints[0]?.addresses.v4?.address ?? '';
    assert.equal(askBriefly(other.netnsPath, 'tcp', address, 80), '');
    assert.ok(!pingsBriefly(other.netnsPath, address));
    // A static neighbour entry bypasses ARP: the frame itself must not pass either.
    sh(`nsenter --net=${other.netnsPath} ip neighbour replace ${address} lladdr ${web.endpoints[0]?.mac} dev eth0`);
    assert.ok(!pingsBriefly(other.netnsPath, address));
    assert.equal(askBriefly(other.netnsPath, 'tcp', address, 80), '');
    assert.ok(pings(other.netnsPath, '172.17.0.1'));
    assert.ok(pings(other.netnsPath, '192.0.2.9'));
    assert.equal(ask(neighbour, 'tcp', '192.0.2.1', 8803), 'web 192.0.2.9');
    assert.equal(ask(other.netnsPath, 'tcp', '192.0.2.1', 8803), `web ${own}`, 'published, and the source is kept');
    assert.match(ask(web.netnsPath, 'tcp', '192.0.2.1', 8803), /^web /, 'a container reaches itself');
    await testbed.remove(web.containerId);
    await testbed.remove(other.containerId);
  });

  test('a link opens the exposed ports of its target, follows its address, and closes them on removal', async () => {
    const exposed = [{ protocol: 'tcp' as const, port: 80 }];
    const db = await testbed.run('db', { exposed });
    const app = await testbed.run('app', { links: ['db:store'] });
    await serve(db.netnsPath, 'tcp', 80, 'db');
    await serve(db.netnsPath, 'tcp', 81, 'other');
    const address = db.endpoints[0]?.addresses.v4?.address ?? '';
    const own = app.endpoints[0]?.addresses.v4?.address ?? '';
    assert.equal(ask(app.netnsPath, 'tcp', address, 80), `db ${own}`);
    assert.equal(askBriefly(app.netnsPath, 'tcp', address, 81), '', 'not exposed');
    assert.ok(!succeeds(db.netnsPath, 'socat', '-u', '/dev/null', `TCP4:${own}:80,connect-timeout=1`), 'one way');

    const inode = statSync(app.files.hosts).ino;
    await testbed.stop(db.containerId);
    const again = await testbed.start(db.containerId);
    await serve(again.netnsPath, 'tcp', 80, 'again');
    const moved = again.endpoints[0]?.addresses.v4?.address ?? '';
    assert.notEqual(moved, address);
    assert.match(readFileSync(app.files.hosts, 'utf8'), new RegExp(`^${moved}\\tstore [0-9a-f]{12} db$`, 'm'));
    assert.equal(statSync(app.files.hosts).ino, inode, 'the bind mount still shows this file');
    assert.equal(ask(app.netnsPath, 'tcp', moved, 80), `again ${own}`);
    assert.doesNotMatch(sh('nft list set ip netyard link_allow'), new RegExp(`${address} `));

    await testbed.networks.removeLink('/app/store');
    assert.equal(askBriefly(app.netnsPath, 'tcp', moved, 80), '');
    assert.doesNotMatch(readFileSync(app.files.hosts, 'utf8'), /store/);
    await testbed.remove(app.containerId);
    await testbed.remove(db.containerId);
    assert.doesNotMatch(
      sh('nft list set ip netyard link_allow; nft list set bridge netyard isolated_ports'),
      /elements/,
    );
  });
});
